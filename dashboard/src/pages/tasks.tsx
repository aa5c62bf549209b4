// All tasks of all frameworks, the live ones first.

import { useMemo } from "react";
import { isEnded } from "../api/kernel_model";
import { kernel } from "../api/live";
import { useStore } from "../api/store";
import { PageHead } from "../components/page_head";
import { Empty, Loading } from "../components/states";
import { TaskTable } from "../components/task_table";
import { Toolbar, useFilterText, type Chip } from "../components/toolbar";
import { parseFilter, passes } from "../model/filter";
import { appIdOfTask } from "../model/services";
import { stateName } from "../model/tasks";

export function Tasks() {
  const state = useStore(kernel);
  const text = useFilterText();
  const all = useMemo(() => [...state.tasks.values()], [state.tasks]);
  const tasks = useMemo(() => {
    const filter = parseFilter(text);
    return all.filter((task) => {
      const host = state.agents.get(task.agent_id.value)?.agent_info.hostname ?? "";
      const framework = state.frameworks.get(task.framework_id.value)?.framework_info.name ?? "";
      const hay = `${task.task_id.value} ${task.name} ${appIdOfTask(task.task_id.value)} ${host} ${framework}`;
      const tags = [task.state.replace("TASK_", ""), isEnded(task.state) ? "ended" : "live"];
      return passes(filter, hay, tags);
    });
  }, [all, text, state]);
  const counts = new Map<string, number>();
  for (const task of all) counts.set(task.state, (counts.get(task.state) ?? 0) + 1);
  const live = all.filter((t) => !isEnded(t.state)).length;
  const chips: Chip[] = [
    { tag: "live", label: "Live", count: live },
    ...[...counts]
      .sort((a, b) => b[1] - a[1])
      .map(([name, count]) => ({
        tag: name.replace("TASK_", "").toLowerCase(),
        label: stateName(name),
        count,
      })),
  ];
  return (
    <>
      <PageHead title="Tasks" />
      {!state.ready ? (
        <div className="panel">
          <Loading label="Loading tasks" />
        </div>
      ) : (
        <>
          {all.length > 0 && <Toolbar placeholder="Filter tasks" chips={chips.length > 2 ? chips : []} />}
          <TaskTable
            name="tasks"
            state={state}
            tasks={tasks}
            empty={all.length ? <Empty title="No task passes the filter" /> : <Empty title="No tasks" />}
          />
        </>
      )}
    </>
  );
}
