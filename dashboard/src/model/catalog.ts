// Packages as cards and pages: order, icons, notes. Pure.

import type { Images, InstalledPackage, PackageSummary } from "../api/cosmos";
import type { App } from "../api/marathon_types";
import { parseFilter, passes } from "./filter";

/** Selected packages first, then by name. */
export function sortPackages(packages: readonly PackageSummary[]): PackageSummary[] {
  return [...packages].sort(
    (a, b) => Number(b.selected ?? false) - Number(a.selected ?? false) || a.name.localeCompare(b.name),
  );
}

export function filterPackages(packages: readonly PackageSummary[], text: string): PackageSummary[] {
  const filter = parseFilter(text);
  return packages.filter((p) =>
    passes(filter, `${p.name} ${p.description ?? ""} ${(p.tags ?? []).join(" ")}`, [
      ...(p.selected ? ["selected"] : []),
      ...(p.framework ? ["framework"] : []),
    ]),
  );
}

/** Versions, the newest first, by their release numbers. */
export function sortVersions(versions: Record<string, number | string>): string[] {
  return Object.entries(versions)
    .sort((a, b) => Number(b[1]) - Number(a[1]) || b[0].localeCompare(a[0], "en", { numeric: true }))
    .map(([version]) => version);
}

/** An icon that can be shown without asking anybody outside of the cluster, or "". */
export function iconOf(images: Images | undefined): string {
  const url = images?.["icon-small"] ?? images?.["icon-medium"] ?? images?.["icon-large"] ?? "";
  if (/^data:image\//.test(url)) return url;
  const resource = /^(?:https?:\/\/[^/]+)?(\/package\/resource\?.+)$/.exec(url);
  return resource ? resource[1]! : "";
}

/** Changes when an app of a package comes, goes or changes: the list of what is installed is then read again. */
export function installedKey(apps: Iterable<App>): string {
  const keys: string[] = [];
  for (const app of apps) if (app.labels?.["DCOS_PACKAGE_NAME"]) keys.push(`${app.id}@${app.version ?? ""}`);
  return keys.sort().join(" ");
}

export function installedOf(list: readonly InstalledPackage[], name: string): InstalledPackage[] {
  return list.filter((entry) => entry.packageInformation.packageDefinition.name === name);
}

export type NotePart = { kind: "text" | "code" | "link"; text: string };

/** Notes of packages: paragraphs of text with links and code in them. */
export function parseNotes(notes: string): NotePart[][] {
  return notes
    .split(/\n\s*\n/)
    .map((paragraph) => paragraph.trim())
    .filter((paragraph) => paragraph !== "")
    .map((paragraph) => {
      const parts: NotePart[] = [];
      let at = 0;
      const text = (end: number) => end > at && parts.push({ kind: "text", text: paragraph.slice(at, end) });
      for (const match of paragraph.matchAll(/`([^`\n]+)`|https?:\/\/[^\s<>"')\]]*[^\s<>"')\].,;:]/g)) {
        text(match.index);
        parts.push(match[1] ? { kind: "code", text: match[1] } : { kind: "link", text: match[0] });
        at = match.index + match[0].length;
      }
      text(paragraph.length);
      return parts;
    });
}
