// What can be installed with a click, and what is.

import { useMemo } from "react";
import { listInstalled, searchPackages, type InstalledPackage, type PackageSummary } from "../api/cosmos";
import { marathon } from "../api/live";
import { useStore } from "../api/store";
import { Absent, isAbsent } from "../components/absent";
import { InstalledTable, PackageIcon } from "../components/package_parts";
import { PageHead } from "../components/page_head";
import { Empty, Failure, Loading } from "../components/states";
import { Badge } from "../components/status";
import { Tabs, useTab } from "../components/tabs";
import { Toolbar, useFilterText, type Chip } from "../components/toolbar";
import { useLoad, type Loaded } from "../hooks";
import { filterPackages, installedKey, installedOf, sortPackages } from "../model/catalog";
import { packageHref } from "../router";

/** What is installed, read again whenever an app of a package changes. */
export function useInstalled(): Loaded<InstalledPackage[]> {
  const { apps } = useStore(marathon);
  const key = useMemo(() => installedKey(apps.values()), [apps]);
  return useLoad(listInstalled, [key]);
}

export function CatalogFailure({ title, error }: { title: string; error: unknown }) {
  if (isAbsent(error))
    return (
      <Absent
        what="The package service, which knows the catalog,"
        remedy={
          <>
            Services can still be run <a href="#/services/new">from a definition</a>. Start{" "}
            <code>dcos-universe</code> with this cluster&rsquo;s Marathon to have a catalog.
          </>
        }
      />
    );
  return (
    <div className="panel">
      <Failure title={title} error={error} onRetry={() => location.reload()} />
    </div>
  );
}

function Card({ item, installed }: { item: PackageSummary; installed: number }) {
  return (
    <li>
      <a className="card package-card" href={packageHref(item.name)} data-package={item.name} data-row-link>
        <PackageIcon name={item.name} images={item.images} />
        <span className="package-name">
          <strong>{item.name}</strong> <span className="dim">{item.currentVersion}</span>
        </span>
        <span className="package-text dim">{item.description}</span>
        {(installed > 0 || item.selected) && (
          <span className="package-badges">
            {installed > 0 ? (
              <Badge tone="good">{installed > 1 ? `Installed ${installed} times` : "Installed"}</Badge>
            ) : (
              <Badge tone="idle">Selected</Badge>
            )}
          </span>
        )}
      </a>
    </li>
  );
}

function Packages({
  packages,
  installed,
}: {
  packages: readonly PackageSummary[];
  installed: readonly InstalledPackage[];
}) {
  const text = useFilterText();
  const sorted = useMemo(() => sortPackages(packages), [packages]);
  const shown = useMemo(() => filterPackages(sorted, text), [sorted, text]);
  const selected = packages.filter((p) => p.selected).length;
  const chips: Chip[] =
    selected > 0 && selected < packages.length
      ? [{ tag: "selected", label: "Selected", count: selected }]
      : [];
  if (packages.length === 0)
    return (
      <div className="panel">
        <Empty title="The catalog is empty">
          No repository has been read yet, or none has packages. <code>dcos package repo list</code> shows
          which there are.
        </Empty>
      </div>
    );
  return (
    <>
      <Toolbar placeholder="Filter packages" chips={chips} />
      {shown.length === 0 ? (
        <div className="panel">
          <Empty title="No package passes the filter" />
        </div>
      ) : (
        <ul className="package-grid">
          {shown.map((item) => (
            <Card key={item.name} item={item} installed={installedOf(installed, item.name).length} />
          ))}
        </ul>
      )}
    </>
  );
}

export function Catalog() {
  const found = useLoad(searchPackages, []);
  const installed = useInstalled();
  const list = installed.phase === "done" ? installed.value : [];
  const tabs = [
    { key: "packages", label: "Packages", count: found.phase === "done" ? found.value.length : undefined },
    { key: "installed", label: "Installed", count: installed.phase === "done" ? list.length : undefined },
  ];
  const tab = useTab(tabs);
  if (found.phase === "failed")
    return (
      <>
        <PageHead title="Catalog" />
        <CatalogFailure title="The catalog cannot be read" error={found.error} />
      </>
    );
  return (
    <>
      <PageHead title="Catalog" />
      <Tabs tabs={tabs} label="Catalog" />
      {tab === "packages" &&
        (found.phase === "done" ? (
          <Packages packages={found.value} installed={list} />
        ) : (
          <ul className="package-grid" aria-label="Loading the catalog" role="status">
            {Array.from({ length: 6 }, (_, i) => (
              <li key={i} className="card">
                <Loading rows={3} />
              </li>
            ))}
          </ul>
        ))}
      {tab === "installed" &&
        (installed.phase === "failed" ? (
          <CatalogFailure title="What is installed cannot be read" error={installed.error} />
        ) : installed.phase === "loading" ? (
          <div className="panel">
            <Loading />
          </div>
        ) : (
          <InstalledTable
            packages={list}
            empty={
              <Empty title="No package is installed">
                Choose one of the <a href="#/catalog">catalog</a>; it runs as a service.
              </Empty>
            }
          />
        ))}
    </>
  );
}
