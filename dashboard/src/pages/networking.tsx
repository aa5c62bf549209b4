// Named addresses of services (virtual addresses of the load balancer) and who stands behind each.

import { useMemo } from "react";
import { kernel, marathon } from "../api/live";
import { vips, vipsPoll } from "../api/net";
import { usePoll } from "../api/poll";
import { useStore } from "../api/store";
import { NotLive, Stale } from "../components/absent";
import { Copyable } from "../components/copy";
import { DataTable } from "../components/data_table";
import { PageHead } from "../components/page_head";
import { Empty } from "../components/states";
import { Badge } from "../components/status";
import { Toolbar, useFilterText, type Chip } from "../components/toolbar";
import { parseFilter, passes } from "../model/filter";
import { viewVips, type VipRow } from "../model/vips";
import { serviceHref, taskHref } from "../router";

const kShownBackends = 12;

/** "ip:port" of every task of Marathon -> its page. */
function useTaskOfAddress(): ReadonlyMap<string, string> {
  const { apps } = useStore(marathon);
  const { tasks } = useStore(kernel);
  return useMemo(() => {
    const frameworks = new Map([...tasks.values()].map((t) => [t.task_id.value, t.framework_id.value]));
    const found = new Map<string, string>();
    for (const app of apps.values())
      for (const task of app.tasks ?? [])
        for (const port of task.ports ?? [])
          for (const ip of [task.host, ...(task.ipAddresses ?? []).map((a) => a.ipAddress)])
            found.set(`${ip}:${port}`, taskHref(frameworks.get(task.id) ?? "-", task.id));
    return found;
  }, [apps, tasks]);
}

function Backends({ row, taskOf }: { row: VipRow; taskOf: ReadonlyMap<string, string> }) {
  return (
    <span className="labels">
      {row.backends.slice(0, kShownBackends).map((b) => {
        const text = `${b.ip}:${b.port}`;
        const href = taskOf.get(text);
        return href ? (
          <a key={text} href={href}>
            <code>{text}</code>
          </a>
        ) : (
          <code key={text}>{text}</code>
        );
      })}
      {row.backends.length > kShownBackends && (
        <span className="dim">and {row.backends.length - kShownBackends} more</span>
      )}
    </span>
  );
}

function VipBadge({ row }: { row: VipRow }) {
  if (!row.listed) return <Badge tone="busy">Not listed yet</Badge>;
  return row.backends.length ? <Badge tone="good">Serving</Badge> : <Badge tone="bad">No backend</Badge>;
}

const tagOf = (row: VipRow) => (!row.listed ? "missing" : row.backends.length ? "serving" : "empty");

export function Networking() {
  const status = usePoll(vipsPoll);
  const state = useStore(vips);
  const { apps } = useStore(marathon);
  const text = useFilterText();
  const taskOf = useTaskOfAddress();
  const all = useMemo(() => viewVips(state.vips, apps.values()), [state.vips, apps]);
  const rows = useMemo(() => {
    const filter = parseFilter(text);
    return all.filter((r) =>
      passes(
        filter,
        `${r.address} ${r.protocol} ${r.services.join(" ")} ${r.backends.map((b) => `${b.ip}:${b.port}`).join(" ")}`,
        [tagOf(r)],
      ),
    );
  }, [all, text]);
  const chips = (["serving", "empty", "missing"] as const).flatMap((tag): Chip[] => {
    const count = all.filter((r) => tagOf(r) === tag).length;
    const label = { serving: "Serving", empty: "No backend", missing: "Not listed yet" }[tag];
    return count ? [{ tag, label, count }] : [];
  });
  return (
    <>
      <PageHead title="Networking" />
      {!state.ready ? (
        <NotLive
          status={status}
          onRetry={() => vipsPoll.now()}
          label="Loading addresses"
          what="The load balancer of named addresses"
          remedy={
            <>
              Services are still reached at their nodes&rsquo; addresses and ports, which{" "}
              <a href="#/services">each service</a> lists.
            </>
          }
        />
      ) : (
        <>
          <Stale status={status} who="The load balancer" onRetry={() => vipsPoll.now()} />
          {all.length > 0 && <Toolbar placeholder="Filter addresses" chips={chips.length > 1 ? chips : []} />}
          <DataTable
            name="vips"
            label="Named addresses"
            rows={rows}
            rowKey={(r) => r.key}
            initialSort={{ key: "address", down: false }}
            empty={
              all.length ? (
                <Empty title="No address passes the filter" />
              ) : (
                <Empty title="No named addresses yet">
                  A port with a label such as <code>VIP_0: /hello:80</code> gets a name that every node
                  balances over the instances of its service.
                </Empty>
              )
            }
            columns={[
              {
                key: "address",
                title: "Address",
                width: "46%",
                sort: (r) => r.address,
                render: (r) => (
                  <>
                    <Copyable text={r.address} />
                    <div className="sub">
                      {r.services.map((id) => (
                        <a key={id} href={serviceHref(id)}>
                          {id}{" "}
                        </a>
                      ))}
                    </div>
                  </>
                ),
              },
              {
                key: "protocol",
                title: "Protocol",
                width: "90px",
                level: 2,
                sort: (r) => r.protocol,
                render: (r) => r.protocol.toUpperCase(),
              },
              {
                key: "state",
                title: "State",
                width: "130px",
                sort: tagOf,
                render: (r) => <VipBadge row={r} />,
              },
              {
                key: "backends",
                title: "Backends",
                level: 2,
                sort: (r) => r.backends.length,
                render: (r) => <Backends row={r} taskOf={taskOf} />,
              },
            ]}
          />
        </>
      )}
    </>
  );
}
