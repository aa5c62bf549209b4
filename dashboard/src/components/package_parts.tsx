// Parts of packages that several pages show: the icon, notes, and what is installed.

import { useState } from "react";
import { uninstallPackage, type Images, type InstalledPackage } from "../api/cosmos";
import { marathon } from "../api/live";
import { useStore } from "../api/store";
import { useNow } from "../hooks";
import { iconOf, parseNotes } from "../model/catalog";
import { viewService } from "../model/services";
import { packageEditHref, packageHref, serviceHref } from "../router";
import { DataTable, RowLink } from "./data_table";
import { ConfirmDialog } from "./dialog";
import { Icon } from "./icons";
import { Badge, ServiceBadge } from "./status";

/** The icon of a package, or the first letter of its name. */
export function PackageIcon({
  name,
  images,
  size = 40,
}: {
  name: string;
  images?: Images | undefined;
  size?: number;
}) {
  const [failed, setFailed] = useState(false);
  const source = failed ? "" : iconOf(images);
  if (source)
    return (
      <img
        className="package-icon"
        src={source}
        alt=""
        width={size}
        height={size}
        onError={() => setFailed(true)}
      />
    );
  return (
    <span
      className="package-icon letter"
      style={{ width: size, height: size, fontSize: size / 2 }}
      aria-hidden="true"
    >
      {name.charAt(0).toUpperCase()}
    </span>
  );
}

export function Notes({ text }: { text: string }) {
  return (
    <div className="notes">
      {parseNotes(text).map((parts, i) => (
        <p key={i}>
          {parts.map((part, j) =>
            part.kind === "link" ? (
              <a key={j} href={part.text} target="_blank" rel="noreferrer">
                {part.text}
              </a>
            ) : part.kind === "code" ? (
              <code key={j}>{part.text}</code>
            ) : (
              part.text
            ),
          )}
        </p>
      ))}
    </div>
  );
}

/** The state of the app that a package was installed as, live. */
export function AppBadge({ id }: { id: string }) {
  const { apps, queue } = useStore(marathon);
  const now = useNow(5000);
  const app = apps.get(id);
  if (!app) return <Badge tone="idle">Not running</Badge>;
  const view = viewService(app, queue.get(id) ?? null, now);
  return <ServiceBadge status={view.status} hint={view.hint} />;
}

function UninstallDialog({
  name,
  appId,
  onClose,
  onNotes,
}: {
  name: string;
  appId: string;
  onClose: () => void;
  onNotes: (notes: string) => void;
}) {
  return (
    <ConfirmDialog
      title={`Uninstall ${name}`}
      action="Uninstall"
      dangerous
      typeToConfirm={appId}
      run={async () => {
        const { results } = await uninstallPackage(name, appId);
        onNotes(results.map((r) => r.postUninstallNotes ?? "").join("\n\n"));
      }}
      done={`${name} is being uninstalled`}
      onClose={onClose}
    >
      <p>
        Stops the service <code>{appId}</code> and all it started, and forgets it with its data. This cannot
        be undone.
      </p>
    </ConfirmDialog>
  );
}

export function InstalledTable({
  packages,
  empty,
}: {
  packages: readonly InstalledPackage[];
  empty: React.ReactNode;
}) {
  const [leaving, setLeaving] = useState<InstalledPackage | null>(null);
  const [notes, setNotes] = useState("");
  const of = (p: InstalledPackage) => p.packageInformation.packageDefinition;
  return (
    <>
      {notes.trim() && (
        <div className="notice" role="status">
          <Icon name="help" />
          <Notes text={notes} />
        </div>
      )}
      <DataTable
        name="installed"
        label="Installed packages"
        rows={packages}
        rowKey={(p) => p.appId}
        rowHref={(p) => serviceHref(p.appId)}
        initialSort={{ key: "service", down: false }}
        empty={empty}
        columns={[
          {
            key: "service",
            title: "Service",
            sort: (p) => p.appId,
            render: (p) => (
              <span className="file-name">
                <PackageIcon
                  name={of(p).name}
                  images={p.packageInformation.resourceDefinition?.images}
                  size={24}
                />
                <RowLink href={serviceHref(p.appId)} title={p.appId}>
                  <strong>{p.appId}</strong>
                </RowLink>
              </span>
            ),
          },
          {
            key: "package",
            title: "Package",
            level: 2,
            sort: (p) => of(p).name,
            render: (p) => (
              <a href={packageHref(of(p).name)}>
                {of(p).name} {of(p).version}
              </a>
            ),
          },
          {
            key: "state",
            title: "State",
            width: "120px",
            render: (p) => <AppBadge id={p.appId} />,
          },
          {
            key: "act",
            title: "",
            width: "84px",
            render: (p) => (
              <span className="row-actions">
                <a
                  className="icon-button"
                  href={packageEditHref(p.appId)}
                  aria-label={`Change the options of ${p.appId}`}
                  title="Change options"
                  data-edit={p.appId}
                >
                  <Icon name="edit" size={14} />
                </a>
                <button
                  className="icon-button"
                  aria-label={`Uninstall ${p.appId}`}
                  title="Uninstall"
                  onClick={() => setLeaving(p)}
                  data-uninstall={p.appId}
                >
                  <Icon name="trash" size={14} />
                </button>
              </span>
            ),
          },
        ]}
      />
      {leaving && (
        <UninstallDialog
          name={of(leaving).name}
          appId={leaving.appId}
          onClose={() => setLeaving(null)}
          onNotes={setNotes}
        />
      )}
    </>
  );
}
