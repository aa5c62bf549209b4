// All nodes with what is used of them.

import { useEffect, useMemo } from "react";
import { kernel, refreshAgents } from "../api/live";
import { useStore } from "../api/store";
import { DataTable, RowLink, type Column } from "../components/data_table";
import { PageHead } from "../components/page_head";
import { Empty, Loading } from "../components/states";
import { Badge, Meter } from "../components/status";
import { Toolbar, useFilterText, type Chip } from "../components/toolbar";
import { formatMib, formatNumber } from "../format";
import { parseFilter, passes } from "../model/filter";
import { viewNodes, type Amounts, type NodeView } from "../model/resources";
import { nodeHref } from "../router";

export function NodeBadge({ status }: { status: NodeView["status"] }) {
  return (
    <Badge tone={status === "Active" ? "good" : status === "Unreachable" ? "bad" : "busy"}>{status}</Badge>
  );
}

function Use({ node, kind, format }: { node: NodeView; kind: keyof Amounts; format: (n: number) => string }) {
  const label = `${format(node.used[kind])} of ${format(node.total[kind])}`;
  return (
    <span className="use">
      <span>
        {format(node.used[kind])}
        <span className="dim"> / {format(node.total[kind])}</span>
      </span>
      <Meter used={node.used[kind]} total={node.total[kind]} label={label} />
    </span>
  );
}

function attributesOf(node: NodeView): string {
  return (node.agent.agent_info.attributes ?? [])
    .map((a) => `${a.name}:${a.text?.value ?? a.scalar?.value ?? a.set?.item?.join(",") ?? ""}`)
    .join(" ");
}

export function Nodes() {
  const state = useStore(kernel);
  const text = useFilterText();
  // An agent that stopped answering is no event of the stream: look once when the page opens.
  useEffect(refreshAgents, []);
  const all = useMemo(() => viewNodes(state), [state]);
  const rows = useMemo(() => {
    const filter = parseFilter(text);
    return all.filter((n) =>
      passes(filter, `${n.hostname} ${n.id} ${n.address} ${n.zone} ${attributesOf(n)}`, [n.status]),
    );
  }, [all, text]);
  const statuses = [...new Set(all.map((n) => n.status))];
  const chips = statuses.map((s): Chip => ({
    tag: s.toLowerCase(),
    label: s,
    count: all.filter((n) => n.status === s).length,
  }));
  const use = (
    kind: keyof Amounts,
    title: string,
    format: (n: number) => string,
    level: 1 | 2 | 3,
  ): Column<NodeView> => ({
    key: kind,
    title,
    level,
    width: "19%",
    sort: (n) => (n.total[kind] > 0 ? n.used[kind] / n.total[kind] : 0),
    render: (n) => <Use node={n} kind={kind} format={format} />,
  });
  return (
    <>
      <PageHead title="Nodes" />
      {!state.ready ? (
        <div className="panel">
          <Loading label="Loading nodes" />
        </div>
      ) : (
        <>
          {all.length > 0 && <Toolbar placeholder="Filter nodes" chips={chips.length > 1 ? chips : []} />}
          <DataTable
            name="nodes"
            label="Nodes"
            rows={rows}
            rowKey={(n) => n.id}
            rowHref={(n) => nodeHref(n.id)}
            initialSort={{ key: "host", down: false }}
            empty={
              all.length ? (
                <Empty title="No node passes the filter" />
              ) : (
                <Empty title="No nodes">No agent has registered with the master.</Empty>
              )
            }
            columns={[
              {
                key: "host",
                title: "Node",
                sort: (n) => n.hostname,
                render: (n) => (
                  <>
                    <RowLink href={nodeHref(n.id)}>
                      <strong>{n.hostname}</strong>
                    </RowLink>
                    <div className="sub">
                      {[n.address !== n.hostname && n.address, n.zone].filter(Boolean).join(" · ") || n.id}
                    </div>
                  </>
                ),
              },
              {
                key: "status",
                title: "Status",
                width: "124px",
                sort: (n) => n.status,
                render: (n) => <NodeBadge status={n.status} />,
              },
              use("cpus", "CPU", (v) => formatNumber(v, 1), 1),
              use("mem", "Memory", formatMib, 2),
              use("disk", "Disk", formatMib, 3),
              {
                key: "tasks",
                title: "Tasks",
                numeric: true,
                width: "72px",
                sort: (n) => n.tasks.length,
                render: (n) => formatNumber(n.tasks.length),
              },
            ]}
          />
        </>
      )}
    </>
  );
}
