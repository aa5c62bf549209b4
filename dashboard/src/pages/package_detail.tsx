// One package of the catalog: what it is, which versions there are, and where it is installed.

import { describePackage, listVersions, type PackageDefinition } from "../api/cosmos";
import { InstalledTable, Notes, PackageIcon } from "../components/package_parts";
import { Icon } from "../components/icons";
import { Facts, PageHead } from "../components/page_head";
import { Empty, Loading } from "../components/states";
import { Badge } from "../components/status";
import { useLoad } from "../hooks";
import { installedOf, sortVersions } from "../model/catalog";
import { packageHref, setQuery, useRoute } from "../router";
import { CatalogFailure, useInstalled } from "./catalog";

const kCrumbs = [{ label: "Catalog", href: "#/catalog" }];

const isWeb = (url: string | undefined) => /^https?:\/\//.test(url ?? "");

function Link({ url, text }: { url: string; text?: string }) {
  if (!isWeb(url)) return <>{text ?? url}</>;
  return (
    <a href={url} target="_blank" rel="noreferrer">
      {text ?? url}
    </a>
  );
}

function About({ item }: { item: PackageDefinition }) {
  return (
    <section className="card">
      <h2>About</h2>
      <Facts
        facts={[
          ["Maintainer", item.maintainer ?? ""],
          ["Website", item.website && <Link url={item.website} />],
          ["Source", item.scm && <Link url={item.scm} />],
          [
            "Licences",
            (item.licenses ?? []).length > 0 &&
              item.licenses!.map((l) => (
                <div key={l.name + l.url}>
                  <Link url={l.url} text={l.name} />
                </div>
              )),
          ],
          ["Needs version", item.minDcosReleaseVersion ?? ""],
          [
            "Tags",
            (item.tags ?? []).length > 0 && (
              <span className="labels">
                {item.tags!.map((tag) => (
                  <code key={tag}>{tag}</code>
                ))}
              </span>
            ),
          ],
          [
            "Kind",
            item.framework ? "Scheduler of its own tasks" : item.marathon ? "Service" : "Command line only",
          ],
        ]}
      />
    </section>
  );
}

export function PackageDetail({ name }: { name: string }) {
  const version = useRoute().query.get("version") ?? "";
  const described = useLoad((signal) => describePackage(name, version, signal), [name, version]);
  const versions = useLoad((signal) => listVersions(name, signal), [name]);
  const installed = useInstalled();
  if (described.phase === "failed")
    return (
      <>
        <PageHead title={name} crumbs={kCrumbs} />
        <CatalogFailure title={`The package ${name} cannot be shown`} error={described.error} />
      </>
    );
  if (described.phase === "loading")
    return (
      <>
        <PageHead title={name} crumbs={kCrumbs} />
        <div className="panel">
          <Loading />
        </div>
      </>
    );
  const item = described.value;
  const here = installed.phase === "done" ? installedOf(installed.value, name) : [];
  const all = versions.phase === "done" ? sortVersions(versions.value) : [item.version];
  return (
    <>
      <PageHead
        title={
          <>
            <PackageIcon name={name} images={item.resource?.images} size={34} /> {name}
          </>
        }
        crumbs={kCrumbs}
        badge={item.selected ? <Badge tone="idle">Selected</Badge> : undefined}
      >
        <label className="select">
          Version{" "}
          <select
            value={item.version}
            onChange={(e) => setQuery("version", e.target.value === all[0] ? "" : e.target.value)}
            data-versions
          >
            {all.map((v) => (
              <option key={v}>{v}</option>
            ))}
          </select>
        </label>
        <a
          className="button primary"
          href={`${packageHref(name)}/install?version=${encodeURIComponent(item.version)}`}
          data-action="install"
        >
          <Icon name="download" size={14} /> Install
        </a>
      </PageHead>
      {item.description && <Notes text={item.description} />}
      {item.preInstallNotes && (
        <div className="notice">
          <Icon name="warning" />
          <div>
            <strong>Before you install</strong>
            <Notes text={item.preInstallNotes} />
          </div>
        </div>
      )}
      {here.length > 0 && (
        <>
          <h2>Installed</h2>
          <InstalledTable packages={here} empty={<Empty title="Not installed" />} />
        </>
      )}
      <div className="columns">
        <About item={item} />
        {item.postInstallNotes && (
          <section className="card">
            <h2>Once it runs</h2>
            <Notes text={item.postInstallNotes} />
          </section>
        )}
      </div>
    </>
  );
}
