// Tasks of the kernel as a table; pages choose which.

import { useMemo } from "react";
import type { KernelState } from "../api/kernel_model";
import { isEnded, keyOfTask } from "../api/kernel_model";
import type { Task } from "../api/kernel_types";
import { formatAgo, formatMib, formatNumber, formatTime } from "../format";
import { useNow } from "../hooks";
import { sumResources } from "../model/resources";
import { appIdOfTask } from "../model/services";
import { healthOf, lastStatus, startedAt, timeOf } from "../model/tasks";
import { nodeHref, serviceHref, taskHref } from "../router";
import { DataTable, RowLink, type Column } from "./data_table";
import { TaskBadge } from "./status";

export const hrefOfTask = (t: Task) => taskHref(t.framework_id.value, t.task_id.value);
export const hrefOfLog = (t: Task) => `${hrefOfTask(t)}?tab=logs`;

interface Props {
  name: string;
  state: KernelState;
  tasks: readonly Task[];
  empty: React.ReactNode;
  hideNode?: boolean;
}

export function TaskTable({ name, state, tasks, empty, hideNode }: Props) {
  const now = useNow(5000);
  const rows = useMemo(
    () =>
      tasks.map((task) => ({
        task,
        sum: sumResources(task.resources),
        owner: appIdOfTask(task.task_id.value),
      })),
    [tasks],
  );
  type Row = (typeof rows)[number];
  const host = (r: Row) =>
    state.agents.get(r.task.agent_id.value)?.agent_info.hostname ?? r.task.agent_id.value;
  const owner = (r: Row) =>
    r.owner ||
    (state.frameworks.get(r.task.framework_id.value)?.framework_info.name ?? r.task.framework_id.value);
  const since = (r: Row) => (isEnded(r.task.state) ? timeOf(lastStatus(r.task)) : startedAt(r.task));
  const columns: Column<Row>[] = [
    {
      key: "id",
      title: "Task",
      width: "36%",
      sort: (r) => r.task.task_id.value,
      render: (r) => (
        <>
          <RowLink href={hrefOfTask(r.task)} title={r.task.task_id.value}>
            <span className="id">{r.task.task_id.value}</span>
          </RowLink>
          <div className="sub narrow">{owner(r)}</div>
        </>
      ),
    },
    {
      key: "state",
      title: "State",
      width: "120px",
      sort: (r) => r.task.state,
      render: (r) => <TaskBadge state={r.task.state} healthy={healthOf(r.task)} />,
    },
    {
      key: "owner",
      title: "Service",
      level: 3,
      sort: owner,
      render: (r) =>
        r.owner ? <a href={serviceHref(r.owner)}>{r.owner}</a> : <span className="dim">{owner(r)}</span>,
    },
    ...(hideNode
      ? []
      : [
          {
            key: "node",
            title: "Node",
            level: 2,
            sort: host,
            render: (r: Row) => <a href={nodeHref(r.task.agent_id.value)}>{host(r)}</a>,
          } as Column<Row>,
        ]),
    {
      key: "cpus",
      title: "CPU",
      numeric: true,
      level: 3,
      width: "70px",
      sort: (r) => r.sum.cpus,
      render: (r) => formatNumber(r.sum.cpus),
    },
    {
      key: "mem",
      title: "Memory",
      numeric: true,
      level: 3,
      width: "96px",
      sort: (r) => r.sum.mem,
      render: (r) => formatMib(r.sum.mem),
    },
    {
      key: "since",
      title: "Since",
      numeric: true,
      level: 2,
      width: "124px",
      sort: since,
      render: (r) => (
        <span className="dim" title={formatTime(since(r))}>
          {formatAgo(since(r), now)}
        </span>
      ),
    },
    {
      key: "log",
      title: "",
      width: "56px",
      render: (r) => (
        <a className="button small" href={hrefOfLog(r.task)} aria-label={`Log of ${r.task.task_id.value}`}>
          Log
        </a>
      ),
    },
  ];
  return (
    <DataTable
      name={name}
      label="Tasks"
      rows={rows}
      rowKey={(r) => keyOfTask(r.task)}
      rowHref={(r) => hrefOfTask(r.task)}
      columns={columns}
      initialSort={{ key: "since", down: true }}
      empty={empty}
    />
  );
}
