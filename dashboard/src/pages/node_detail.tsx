// One node: its resources, its tasks, its facts.

import { useEffect, useMemo } from "react";
import { isEnded } from "../api/kernel_model";
import { kernel, refreshAgents } from "../api/live";
import { useStore } from "../api/store";
import { Facts, PageHead } from "../components/page_head";
import { Empty, Loading } from "../components/states";
import { Meter } from "../components/status";
import { Tabs, useTab } from "../components/tabs";
import { TaskTable } from "../components/task_table";
import { formatMib, formatNumber, formatPercent, formatTime } from "../format";
import { formatPorts, viewNodes, type Amounts } from "../model/resources";
import { NodeBadge } from "./nodes";

export function NodeDetail({ id }: { id: string }) {
  const state = useStore(kernel);
  useEffect(refreshAgents, [id]);
  const node = useMemo(() => viewNodes(state).find((n) => n.id === id), [state, id]);
  const ended = useMemo(
    () => [...state.tasks.values()].filter((t) => t.agent_id.value === id && isEnded(t.state)),
    [state, id],
  );
  const tabs = [
    { key: "tasks", label: "Tasks", count: node?.tasks.length },
    { key: "ended", label: "Ended tasks", count: ended.length },
    { key: "details", label: "Details" },
  ];
  const tab = useTab(tabs);
  const crumbs = [{ label: "Nodes", href: "#/nodes" }];
  if (!state.ready)
    return (
      <div className="panel">
        <Loading label="Loading the node" />
      </div>
    );
  if (!node)
    return (
      <>
        <PageHead title={id} crumbs={crumbs} />
        <div className="panel">
          <Empty title="The master does not know this node">It has left, or never was.</Empty>
        </div>
      </>
    );

  const { total, used, agent } = node;
  const card = (title: string, kind: keyof Amounts, format: (n: number) => string) =>
    total[kind] > 0 && (
      <section className="card resource" key={kind}>
        <h2>{title}</h2>
        <div className="resource-value">{formatPercent(used[kind], total[kind])}</div>
        <div className="dim">
          {format(used[kind])} of {format(total[kind])}
        </div>
        <Meter used={used[kind]} total={total[kind]} label={title} />
      </section>
    );
  const registered = (agent.registered_time?.nanoseconds ?? 0) / 1e6;
  return (
    <>
      <PageHead title={node.hostname} crumbs={crumbs} badge={<NodeBadge status={node.status} />} />
      <div className="cards">
        {card("CPU", "cpus", (n) => formatNumber(n, 1))}
        {card("Memory", "mem", formatMib)}
        {card("Disk", "disk", formatMib)}
        {card("GPU", "gpus", formatNumber)}
      </div>
      <Tabs tabs={tabs} label="Node" />
      {tab === "tasks" && (
        <TaskTable
          name="node-tasks"
          state={state}
          tasks={node.tasks}
          hideNode
          empty={<Empty title="No tasks on this node" />}
        />
      )}
      {tab === "ended" && (
        <TaskTable
          name="node-ended"
          state={state}
          tasks={ended}
          hideNode
          empty={<Empty title="No task has ended here lately" />}
        />
      )}
      {tab === "details" && (
        <div className="columns">
          <section className="card">
            <h2>Agent</h2>
            <Facts
              facts={[
                ["Id", <code className="wrap-any">{node.id}</code>],
                ["Process", agent.pid && <code>{agent.pid}</code>],
                ["Version", agent.version ?? ""],
                ["Zone", node.zone],
                ["Registered", registered > 0 && formatTime(registered)],
                ["Ports", formatPorts(agent.total_resources)],
              ]}
            />
          </section>
          <section className="card">
            <h2>Attributes</h2>
            {agent.agent_info.attributes?.length ? (
              <Facts
                facts={agent.agent_info.attributes.map(
                  (a) =>
                    [
                      a.name,
                      a.text?.value ??
                        (a.scalar
                          ? formatNumber(a.scalar.value)
                          : (a.set?.item?.join(", ") ??
                            a.ranges?.range?.map((r) => `${r.begin}-${r.end}`).join(", ") ??
                            "")),
                    ] as const,
                )}
              />
            ) : (
              <p className="dim">None.</p>
            )}
          </section>
        </div>
      )}
    </>
  );
}
