// Install a package, or change the options of an installed one: a form made out of their schema, and their JSON beside it.

import { useMemo, useState } from "react";
import {
  describePackage,
  describeService,
  installPackage,
  renderPackage,
  updateService,
  type InstallResult,
  type PackageDefinition,
} from "../api/cosmos";
import { ApiError, messageOf } from "../api/http";
import { refreshApp } from "../api/live";
import { Dialog } from "../components/dialog";
import { Icon } from "../components/icons";
import { JsonEditor, JsonText } from "../components/json_editor";
import { AppBadge, Notes, PackageIcon } from "../components/package_parts";
import { PageHead } from "../components/page_head";
import { SchemaSections } from "../components/schema_fields";
import { Failure, Loading } from "../components/states";
import { toast } from "../components/toasts";
import { useLoad } from "../hooks";
import { marksOf, syntaxError } from "../model/json_marks";
import { allFields, checkOptions, readSchema, unplaced } from "../model/schema_form";
import { parseDefinition } from "../model/service_form";
import { navigate, packageHref, serviceHref, useRoute } from "../router";
import { CatalogFailure } from "./catalog";

type Json = Record<string, unknown>;

interface Wanted {
  packageName: string;
  packageVersion: string;
  options: unknown;
}

/** What would be given to Marathon, before it is. */
function Preview({ wanted, onClose }: { wanted: Wanted; onClose: () => void }) {
  const rendered = useLoad(() => renderPackage(wanted), []);
  return (
    <Dialog title="What will run" onClose={onClose} wide>
      <div className="dialog-content">
        <p className="dim">The app that Marathon gets, with these options.</p>
        {rendered.phase === "loading" && <Loading />}
        {rendered.phase === "failed" && <Failure title="It cannot be put together" error={rendered.error} />}
        {rendered.phase === "done" && (
          <pre className="panel code preview" tabIndex={0} data-preview>
            <JsonText text={JSON.stringify(withoutLongLabels(rendered.value), null, 2)} />
          </pre>
        )}
      </div>
    </Dialog>
  );
}

const kMaxLabel = 200;

/** The definition of the package travels in a label of some hundred thousand letters: nobody reads those. */
function withoutLongLabels(app: unknown): unknown {
  const labels = (app as { labels?: Record<string, string> } | null)?.labels;
  if (!labels) return app;
  const short = Object.entries(labels).map(([key, value]) => [
    key,
    value.length > kMaxLabel ? `${value.slice(0, 40)}… (${value.length} letters)` : value,
  ]);
  return { ...(app as object), labels: Object.fromEntries(short) as Record<string, string> };
}

function Done({ item, result }: { item: PackageDefinition; result: InstallResult }) {
  return (
    <section className="card installed" data-installed={result.appId ?? result.packageName}>
      <h2>
        {result.appId ? (
          <>
            {item.name} runs as <a href={serviceHref(result.appId)}>{result.appId}</a>{" "}
            <AppBadge id={result.appId} />
          </>
        ) : (
          `${item.name} has nothing that runs in the cluster`
        )}
      </h2>
      {!result.appId && (
        <p>
          It has a part for the command line: <code>dcos package install {item.name} --cli</code>
        </p>
      )}
      {result.postInstallNotes && <Notes text={result.postInstallNotes} />}
      <div className="page-actions">
        {result.appId && (
          <a className="button primary" href={serviceHref(result.appId)} data-open>
            Open the service
          </a>
        )}
        <a className="button" href="#/catalog">
          Back to the catalog
        </a>
      </div>
    </section>
  );
}

interface FormProps {
  item: PackageDefinition;
  /** The options so far. */
  initial: Record<string, unknown>;
  /** Where Cancel leads. */
  back: string;
  /** The words on the button: what it does, and while it does it. */
  words: readonly [string, string];
  send: (wanted: Wanted) => Promise<void>;
}

function Form({ item, initial, back, words, send }: FormProps) {
  const schema = useMemo(() => readSchema(item.config), [item]);
  const [text, setText] = useState(() => JSON.stringify(initial, null, 2));
  const [last, setLast] = useState(initial);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const [preview, setPreview] = useState(false);
  const parsed = parseDefinition(text);
  const options = parsed ?? last;
  const fields = error instanceof ApiError ? error.fields : [];
  const lost = unplaced(schema, fields);
  const own = checkOptions(schema, options);
  const syntax = syntaxError(text);
  const count = allFields(schema).length;

  const change = (next: string) => {
    setText(next);
    // What the server had against the options was about those before.
    setError(null);
    const value = parseDefinition(next);
    if (value) setLast(value);
  };
  const wanted: Wanted = { packageName: item.name, packageVersion: item.version, options };
  const submit = async (event: React.FormEvent) => {
    event.preventDefault();
    if (!parsed || busy) return;
    setBusy(true);
    setError(null);
    try {
      await send(wanted);
    } catch (e) {
      setError(e);
      setBusy(false);
      requestAnimationFrame(() =>
        document.querySelector(".field.invalid, [data-form-error]")?.scrollIntoView({ block: "center" }),
      );
    }
  };

  return (
    <form className="service-form" onSubmit={(e) => void submit(e)} data-form>
      {error !== null && (
        <div className="notice bad" role="alert" data-form-error>
          <Icon name="warning" />
          <div>
            <strong>{messageOf(error)}</strong>
            {error instanceof ApiError && error.kind === "PackageAlreadyInstalled" && (
              <> Give it another name in the options to install it once more.</>
            )}
            {lost.map((entry, i) => (
              <div key={i}>
                {entry.path && <code>{entry.path}</code>} {entry.errors.join("; ")}
              </div>
            ))}
          </div>
        </div>
      )}
      <div className="form-columns">
        <div>
          {count === 0 ? (
            <p className="dim">This package has no options.</p>
          ) : (
            <SchemaSections
              section={schema}
              options={options}
              errors={fields}
              disabled={!parsed}
              onChange={(next) => change(JSON.stringify(next, null, 2))}
            />
          )}
        </div>
        <div className="form-json">
          <div className="form-json-head">
            <h2>JSON</h2>
            {syntax ? (
              <span className="bad-text" role="alert">
                {syntax}
              </span>
            ) : (
              <span className="dim">Only what differs from the defaults is sent.</span>
            )}
          </div>
          <JsonEditor
            label="Options as JSON"
            value={text}
            onChange={change}
            marks={marksOf(text, [...fields, ...own])}
          />
        </div>
      </div>
      <footer className="form-foot">
        <a className="button" href={back}>
          Cancel
        </a>
        {item.marathon !== undefined && (
          <button
            type="button"
            className="button"
            disabled={syntax !== ""}
            onClick={() => setPreview(true)}
            data-action="preview"
          >
            Preview
          </button>
        )}
        <button type="submit" className="button primary" disabled={busy || syntax !== ""}>
          {busy ? words[1] : words[0]}
        </button>
      </footer>
      {preview && <Preview wanted={wanted} onClose={() => setPreview(false)} />}
    </form>
  );
}

export function PackageInstall({ name }: { name: string }) {
  const version = useRoute().query.get("version") ?? "";
  const described = useLoad((signal) => describePackage(name, version, signal), [name, version]);
  const [result, setResult] = useState<InstallResult | null>(null);
  const crumbs = [
    { label: "Catalog", href: "#/catalog" },
    { label: name, href: packageHref(name) },
  ];
  const item = described.phase === "done" ? described.value : null;
  return (
    <>
      <PageHead
        title={
          <>
            <PackageIcon name={name} images={item?.resource?.images} size={34} /> Install {name}{" "}
            <span className="dim">{item?.version ?? version}</span>
          </>
        }
        crumbs={crumbs}
      />
      {described.phase === "failed" ? (
        <CatalogFailure title={`The package ${name} cannot be read`} error={described.error} />
      ) : !item ? (
        <div className="panel">
          <Loading />
        </div>
      ) : result ? (
        <Done item={item} result={result} />
      ) : (
        <>
          {item.preInstallNotes && (
            <div className="notice">
              <Icon name="warning" />
              <Notes text={item.preInstallNotes} />
            </div>
          )}
          <Form
            key={item.version}
            item={item}
            initial={{}}
            back={packageHref(name)}
            words={["Install", "Installing…"]}
            send={async (wanted) => {
              const done = await installPackage(wanted);
              if (done.appId) refreshApp(done.appId);
              setResult(done);
            }}
          />
        </>
      )}
    </>
  );
}

/** Another version of an installed package brings its own schema: it is read when it is chosen. */
function EditForm({
  appId,
  name,
  version,
  options,
}: {
  appId: string;
  name: string;
  version: string;
  options: Json;
}) {
  const described = useLoad((signal) => describePackage(name, version, signal), [name, version]);
  if (described.phase === "failed")
    return <CatalogFailure title={`The package ${name} ${version} cannot be read`} error={described.error} />;
  if (described.phase === "loading")
    return (
      <div className="panel">
        <Loading />
      </div>
    );
  return (
    <Form
      item={described.value}
      initial={options}
      back={serviceHref(appId)}
      words={["Deploy changes", "Sending…"]}
      send={async (wanted) => {
        await updateService(appId, wanted.packageVersion, wanted.options);
        refreshApp(appId);
        toast(`${appId} is being changed`);
        navigate(serviceHref(appId));
      }}
    />
  );
}

/** The options of a package that is installed, and the versions that it may change to. */
export function PackageEdit({ appId }: { appId: string }) {
  const found = useLoad((signal) => describeService(appId, signal), [appId]);
  const [version, setVersion] = useState("");
  const crumbs = [
    { label: "Catalog", href: "#/catalog?tab=installed" },
    { label: appId, href: serviceHref(appId) },
  ];
  const service = found.phase === "done" ? found.value : null;
  const versions = service
    ? [...new Set([service.package.version, ...(service.upgradesTo ?? []), ...(service.downgradesTo ?? [])])]
    : [];
  const chosen = version || service?.package.version || "";
  return (
    <>
      <PageHead title={`Options of ${appId}`} crumbs={crumbs}>
        {service && (
          <label className="select">
            Version{" "}
            <select
              value={chosen}
              onChange={(e) => setVersion(e.target.value)}
              disabled={versions.length < 2}
            >
              {versions.map((v) => (
                <option key={v} value={v}>
                  {v === service.package.version ? `${v}, installed` : v}
                </option>
              ))}
            </select>
          </label>
        )}
      </PageHead>
      {found.phase === "failed" ? (
        <CatalogFailure title="The options cannot be read" error={found.error} />
      ) : !service ? (
        <div className="panel">
          <Loading />
        </div>
      ) : (
        <EditForm
          key={chosen}
          appId={appId}
          name={service.package.name}
          version={chosen}
          options={service.userProvidedOptions ?? service.resolvedOptions ?? {}}
        />
      )}
    </>
  );
}
