// The files of a sandbox: folders open, files open in the log viewer or are downloaded.

import { useState } from "react";
import { browse, downloadUrl, type FileInfo } from "../api/files";
import { formatAgo, formatBytes, formatTime } from "../format";
import { useLoad, useNow } from "../hooks";
import { setQuery, useRoute } from "../router";
import { DataTable, RowLink } from "./data_table";
import { Icon } from "./icons";
import { LogViewer } from "./log_viewer";
import { Empty, Failure, Loading } from "./states";

const isFolder = (file: FileInfo) => file.mode.startsWith("d");
const baseName = (path: string) => path.slice(path.lastIndexOf("/") + 1);

interface Props {
  agentId: string;
  root: string;
  growing: boolean;
}

export function FileBrowser({ agentId, root, growing }: Props) {
  const query = useRoute().query;
  const below = query.get("dir") ?? "";
  const opened = query.get("file") ?? "";
  const [attempt, setAttempt] = useState(0);
  const folder = below ? `${root}/${below}` : root;
  const list = useLoad((signal) => browse(agentId, folder, signal), [agentId, folder, attempt]);
  const now = useNow(30_000);

  const hrefWith = (changes: Record<string, string>) => {
    const next = new URLSearchParams(query);
    for (const [key, value] of Object.entries(changes)) {
      if (value) next.set(key, value);
      else next.delete(key);
    }
    return `${location.hash.split("?")[0]}?${next.toString()}`;
  };

  const parts = below.split("/").filter(Boolean);
  const trail = (
    <nav className="trail" aria-label="Folder">
      <a href={hrefWith({ dir: "", file: "" })}>sandbox</a>
      {parts.map((part, i) => (
        <a key={i} href={hrefWith({ dir: parts.slice(0, i + 1).join("/"), file: "" })}>
          {part}
        </a>
      ))}
      {opened && <span>{opened}</span>}
      <span className="spacer" />
      {!opened && (
        <button className="button small" onClick={() => setAttempt(attempt + 1)}>
          <Icon name="restart" size={14} /> Refresh
        </button>
      )}
      {opened && (
        <button className="button small" onClick={() => setQuery("file", "")}>
          <Icon name="close" size={14} /> Close file
        </button>
      )}
    </nav>
  );

  if (opened)
    return (
      <>
        {trail}
        <LogViewer agentId={agentId} path={`${folder}/${opened}`} growing={growing} />
      </>
    );
  if (list.phase === "loading")
    return (
      <>
        {trail}
        <div className="panel">
          <Loading />
        </div>
      </>
    );
  if (list.phase === "failed") {
    return (
      <>
        {trail}
        <div className="panel">
          <Failure
            title="The folder cannot be read"
            error={list.error}
            onRetry={() => setAttempt(attempt + 1)}
          />
        </div>
      </>
    );
  }
  const target = (file: FileInfo) =>
    isFolder(file)
      ? hrefWith({ dir: [...parts, baseName(file.path)].join("/"), file: "" })
      : hrefWith({ file: baseName(file.path) });
  return (
    <>
      {trail}
      <DataTable
        name="files"
        label="Files"
        rows={list.value}
        rowKey={(f) => f.path}
        rowHref={target}
        initialSort={{ key: "name", down: false }}
        empty={<Empty title="This folder is empty" />}
        columns={[
          {
            key: "name",
            title: "Name",
            sort: (f) => `${isFolder(f) ? 0 : 1}${baseName(f.path)}`,
            render: (f) => (
              <RowLink href={target(f)}>
                <span className="file-name">
                  <Icon name={isFolder(f) ? "folder" : "file"} /> {baseName(f.path)}
                </span>
              </RowLink>
            ),
          },
          {
            key: "size",
            title: "Size",
            numeric: true,
            sort: (f) => (isFolder(f) ? -1 : f.size),
            render: (f) => (isFolder(f) ? <span className="dim">–</span> : formatBytes(f.size)),
          },
          { key: "mode", title: "Mode", level: 3, render: (f) => <code className="dim">{f.mode}</code> },
          {
            key: "owner",
            title: "Owner",
            level: 3,
            sort: (f) => f.uid ?? "",
            render: (f) => <span className="dim">{f.uid ?? ""}</span>,
          },
          {
            key: "mtime",
            title: "Changed",
            level: 2,
            sort: (f) => f.mtime,
            render: (f) => (
              <span className="dim" title={formatTime(f.mtime * 1000)}>
                {formatAgo(f.mtime * 1000, now)}
              </span>
            ),
          },
          {
            key: "get",
            title: "",
            width: "44px",
            render: (f) =>
              isFolder(f) ? null : (
                <a
                  className="icon-button"
                  aria-label={`Download ${baseName(f.path)}`}
                  href={downloadUrl(agentId, f.path)}
                  download
                >
                  <Icon name="download" size={14} />
                </a>
              ),
          },
        ]}
      />
    </>
  );
}
