// Named addresses: what the labels of a service ask for, and who stands behind each. Pure.

import type { App, PortDefinition } from "../api/marathon_types";
import type { Backend, Vip } from "../api/net";

export const kVipZone = "l4lb.thisdcos.directory";

/** Letters, digits and dashes of a part of a domain; dots stay between the parts, anything else is dropped. */
export function domainFragment(text: string): string {
  return text
    .toLowerCase()
    .split(".")
    .map((part) =>
      part
        .replace(/_/g, "-")
        .replace(/[^a-z0-9-]/g, "")
        .replace(/^-+/, "")
        .slice(0, 63)
        .replace(/-+$/, ""),
    )
    .filter((part) => part !== "")
    .join(".");
}

export interface VipAddress {
  /** Host and port as a client writes them. */
  address: string;
  protocol: string;
  /** As written in the label. */
  label: string;
}

const isIp = (host: string) => /^\d{1,3}(\.\d{1,3}){3}$/.test(host) || /^[0-9a-f]*:[0-9a-f:]+$/i.test(host);

/** `/name:5000` of a framework -> `name.framework.l4lb…:5000`; "" for a label that is none. */
export function vipAddress(label: string, framework: string): string {
  const cut = label.lastIndexOf(":");
  const port = Number(label.slice(cut + 1));
  const host = label.slice(0, cut);
  if (cut < 1 || !Number.isInteger(port) || port < 1 || port > 65535) return "";
  if (isIp(host)) return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  const name = domainFragment(host);
  return name ? `${name}.${domainFragment(framework)}.${kVipZone}:${port}` : "";
}

export function portsOf(app: App): readonly PortDefinition[] {
  return app.container?.portMappings ?? app.container?.docker?.portMappings ?? app.portDefinitions ?? [];
}

/** The addresses that the port labels of an app ask for. */
export function vipsOfApp(app: App, framework = "marathon"): VipAddress[] {
  return portsOf(app).flatMap((port) =>
    Object.entries(port.labels ?? {})
      .filter(([key]) => /^(VIP|vip)/.test(key))
      .flatMap(([, label]) => {
        const address = vipAddress(label, framework);
        return address ? [{ address, protocol: port.protocol ?? "tcp", label }] : [];
      }),
  );
}

export interface VipRow {
  key: string;
  address: string;
  protocol: string;
  backends: readonly Backend[];
  /** The services whose labels ask for this address. */
  services: readonly string[];
  /** False when a service asks for it and the balancer does not list it (yet). */
  listed: boolean;
}

/** What the balancer lists, joined with what the services ask for. */
export function viewVips(listed: readonly Vip[], apps: Iterable<App>): VipRow[] {
  const wanted = new Map<string, { address: string; protocol: string; services: string[] }>();
  for (const app of apps) {
    for (const { address, protocol } of vipsOfApp(app)) {
      for (const proto of protocol.split(",")) {
        const key = `${address}/${proto}`;
        const entry = wanted.get(key) ?? { address, protocol: proto, services: [] };
        if (!entry.services.includes(app.id)) entry.services.push(app.id);
        wanted.set(key, entry);
      }
    }
  }
  const rows = listed.map((vip): VipRow => {
    const key = `${vip.vip}/${vip.protocol}`;
    const services = wanted.get(key)?.services ?? [];
    wanted.delete(key);
    return {
      key,
      address: vip.vip,
      protocol: vip.protocol,
      backends: vip.backend ?? [],
      services,
      listed: true,
    };
  });
  for (const [key, { address, protocol, services }] of wanted)
    rows.push({ key, address, protocol, backends: [], services, listed: false });
  return rows;
}
