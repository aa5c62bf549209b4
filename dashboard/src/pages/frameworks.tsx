// The schedulers that are registered with the kernel.

import { useMemo } from "react";
import { isEnded } from "../api/kernel_model";
import { kernel } from "../api/live";
import { useStore } from "../api/store";
import { DataTable } from "../components/data_table";
import { PageHead } from "../components/page_head";
import { Empty, Loading } from "../components/states";
import { Badge } from "../components/status";
import { formatMib, formatNumber } from "../format";
import { add, kNoAmounts, sumResources } from "../model/resources";

export function Frameworks() {
  const state = useStore(kernel);
  const rows = useMemo(() => {
    const uses = new Map<string, { used: typeof kNoAmounts; tasks: number }>();
    for (const task of state.tasks.values()) {
      if (isEnded(task.state)) continue;
      const entry = uses.get(task.framework_id.value) ?? { used: kNoAmounts, tasks: 0 };
      uses.set(task.framework_id.value, {
        used: add(entry.used, sumResources(task.resources)),
        tasks: entry.tasks + 1,
      });
    }
    return [...state.frameworks].map(([id, framework]) => ({
      id,
      framework,
      info: framework.framework_info,
      ...(uses.get(id) ?? { used: kNoAmounts, tasks: 0 }),
    }));
  }, [state]);
  const status = (f: (typeof rows)[number]["framework"]) =>
    !f.connected ? "Disconnected" : f.active ? "Active" : "Inactive";
  return (
    <>
      <PageHead title="Frameworks" />
      {!state.ready ? (
        <div className="panel">
          <Loading label="Loading frameworks" />
        </div>
      ) : (
        <DataTable
          name="frameworks"
          label="Frameworks"
          rows={rows}
          rowKey={(r) => r.id}
          rowHref={(r) => `#/tasks?q=${encodeURIComponent(r.info.name)}`}
          initialSort={{ key: "name", down: false }}
          empty={<Empty title="No frameworks">No scheduler has registered with the master.</Empty>}
          columns={[
            {
              key: "name",
              title: "Framework",
              sort: (r) => r.info.name,
              render: (r) => (
                <>
                  <strong>{r.info.name}</strong>
                  <div className="sub">
                    <code>{r.id}</code>
                  </div>
                </>
              ),
            },
            {
              key: "status",
              title: "Status",
              width: "130px",
              sort: (r) => status(r.framework),
              render: (r) => (
                <Badge tone={r.framework.connected && r.framework.active ? "good" : "busy"}>
                  {status(r.framework)}
                </Badge>
              ),
            },
            {
              key: "roles",
              title: "Roles",
              level: 2,
              sort: (r) => (r.info.roles ?? [r.info.role ?? "*"]).join(),
              render: (r) => (r.info.roles?.length ? r.info.roles : [r.info.role ?? "*"]).join(", "),
            },
            {
              key: "host",
              title: "Host",
              level: 3,
              sort: (r) => r.info.hostname ?? "",
              render: (r) => <span className="dim">{r.info.hostname}</span>,
            },
            {
              key: "tasks",
              title: "Tasks",
              numeric: true,
              width: "80px",
              sort: (r) => r.tasks,
              render: (r) => formatNumber(r.tasks),
            },
            {
              key: "cpus",
              title: "CPU",
              numeric: true,
              level: 2,
              width: "90px",
              sort: (r) => r.used.cpus,
              render: (r) => formatNumber(r.used.cpus),
            },
            {
              key: "mem",
              title: "Memory",
              numeric: true,
              level: 2,
              width: "110px",
              sort: (r) => r.used.mem,
              render: (r) => formatMib(r.used.mem),
            },
          ]}
        />
      )}
    </>
  );
}
