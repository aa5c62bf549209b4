// All services with their state.

import { useMemo } from "react";
import { marathon, marathonStream } from "../api/live";
import { useStore } from "../api/store";
import { DataTable, RowLink } from "../components/data_table";
import { Icon } from "../components/icons";
import { PageHead } from "../components/page_head";
import { Empty, Failure, Loading } from "../components/states";
import { InstanceBar, ServiceBadge } from "../components/status";
import { Toolbar, useFilterText, type Chip } from "../components/toolbar";
import { formatAgo, formatMib, formatNumber, formatTime, parseTime } from "../format";
import { useNow } from "../hooks";
import { parseFilter, passes } from "../model/filter";
import { viewServices, type ServiceStatus, type ServiceView } from "../model/services";
import { serviceHref } from "../router";

const kOrder: readonly ServiceStatus[] = [
  "Unhealthy",
  "Delayed",
  "Waiting",
  "Deploying",
  "Starting",
  "Running",
  "Suspended",
];

export function changedAt(view: ServiceView): number {
  return parseTime(view.app.versionInfo?.lastConfigChangeAt ?? view.app.version);
}

/** `/prod/shop/web` with its groups dimmed. */
export function ServiceName({ id }: { id: string }) {
  const cut = id.lastIndexOf("/") + 1;
  return (
    <>
      <span className="dim">{id.slice(0, cut)}</span>
      <strong>{id.slice(cut)}</strong>
    </>
  );
}

function imageOrCommand(view: ServiceView): string {
  if (view.app.pod) return `pod of ${view.app.cmd}`;
  return view.app.container?.docker?.image ?? view.app.cmd ?? (view.app.args ?? []).join(" ");
}

export function Services() {
  const state = useStore(marathon);
  const stream = useStore(marathonStream.status);
  const now = useNow(5000);
  const text = useFilterText();
  const all = useMemo(() => viewServices(state, now), [state, now]);
  const rows = useMemo(() => {
    const filter = parseFilter(text);
    return all.filter((s) =>
      passes(
        filter,
        `${s.id} ${imageOrCommand(s)} ${Object.entries(s.app.labels ?? {})
          .map((l) => l.join("="))
          .join(" ")}`,
        [s.status],
      ),
    );
  }, [all, text]);
  const chips = kOrder.flatMap((status): Chip[] => {
    const count = all.filter((s) => s.status === status).length;
    return count ? [{ tag: status.toLowerCase(), label: status, count }] : [];
  });

  if (!state.ready) {
    return (
      <>
        <PageHead title="Services" />
        <div className="panel">
          {stream.phase === "lost" ? (
            <Failure
              title="Marathon does not answer"
              error={new Error(stream.reason)}
              onRetry={() => marathonStream.retryNow()}
            />
          ) : (
            <Loading label="Loading services" />
          )}
        </div>
      </>
    );
  }
  return (
    <>
      <PageHead title="Services">
        <a className="button primary" href="#/services/new">
          <Icon name="plus" size={14} /> Run a service
        </a>
      </PageHead>
      {all.length > 0 && <Toolbar placeholder="Filter services" chips={chips.length > 1 ? chips : []} />}
      <DataTable
        name="services"
        label="Services"
        rows={rows}
        rowKey={(s) => s.id}
        rowHref={(s) => serviceHref(s.id)}
        initialSort={{ key: "id", down: false }}
        empty={
          all.length ? (
            <Empty title="No service passes the filter" />
          ) : (
            <Empty title="No services yet">
              A service is a program that is kept running. <a href="#/services/new">Run the first one</a>
            </Empty>
          )
        }
        columns={[
          {
            key: "id",
            title: "Service",
            sort: (s) => s.id,
            render: (s) => (
              <>
                <RowLink href={serviceHref(s.id)} title={s.id}>
                  <ServiceName id={s.id} />
                </RowLink>
                <div className="sub">{imageOrCommand(s)}</div>
              </>
            ),
          },
          {
            key: "status",
            title: "Status",
            width: "120px",
            sort: (s) => kOrder.indexOf(s.status),
            render: (s) => <ServiceBadge status={s.status} hint={s.hint} />,
          },
          {
            key: "instances",
            title: "Instances",
            width: "150px",
            sort: (s) => s.counts.wanted,
            render: (s) => <InstanceBar counts={s.counts} />,
          },
          {
            key: "cpus",
            title: "CPU",
            numeric: true,
            level: 2,
            width: "80px",
            sort: (s) => (s.app.cpus ?? 0) * s.counts.wanted,
            render: (s) => formatNumber((s.app.cpus ?? 0) * s.counts.wanted),
          },
          {
            key: "mem",
            title: "Memory",
            numeric: true,
            level: 2,
            width: "100px",
            sort: (s) => (s.app.mem ?? 0) * s.counts.wanted,
            render: (s) => formatMib((s.app.mem ?? 0) * s.counts.wanted),
          },
          {
            key: "changed",
            title: "Changed",
            level: 3,
            numeric: true,
            width: "130px",
            sort: changedAt,
            render: (s) => (
              <span className="dim" title={formatTime(changedAt(s))}>
                {formatAgo(changedAt(s), now)}
              </span>
            ),
          },
        ]}
      />
    </>
  );
}
