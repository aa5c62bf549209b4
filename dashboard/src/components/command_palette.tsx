// Jump to anything by typing a part of its name.

import { useMemo, useState } from "react";
import { jobs } from "../api/chronos";
import { kernel, marathon } from "../api/live";
import { isEnded } from "../api/kernel_model";
import { useStore } from "../api/store";
import { parseFilter, passes } from "../model/filter";
import { jobHref, navigate, nodeHref, serviceHref, taskHref } from "../router";
import { Dialog } from "./dialog";
import { Icon, type IconName } from "./icons";
import { kNav } from "./navigation";

interface Target {
  key: string;
  icon: IconName;
  label: string;
  detail: string;
  href: string;
}

const kMaxShown = 12;

function allTargets(
  k: ReturnType<typeof kernel.get>,
  m: ReturnType<typeof marathon.get>,
  j: ReturnType<typeof jobs.get>,
): Target[] {
  return [
    { key: "run", icon: "plus", label: "Run a service", detail: "Action", href: "#/services/new" },
    { key: "job", icon: "plus", label: "New job", detail: "Action", href: "#/jobs/new" },
    { key: "install", icon: "plus", label: "Install a package", detail: "Action", href: "#/catalog" },
    ...kNav.map((n): Target => ({ key: n.href, icon: n.icon, label: n.label, detail: "Page", href: n.href })),
    ...[...m.apps.keys()].sort().map(
      (id): Target => ({
        key: `s${id}`,
        icon: "services",
        label: id,
        detail: "Service",
        href: serviceHref(id),
      }),
    ),
    ...j.rows.map(
      (row): Target => ({
        key: `j${row.name}`,
        icon: "jobs",
        label: row.name,
        detail: "Job",
        href: jobHref(row.name),
      }),
    ),
    ...[...k.agents].map(
      ([id, a]): Target => ({
        key: `n${id}`,
        icon: "nodes",
        label: a.agent_info.hostname,
        detail: id,
        href: nodeHref(id),
      }),
    ),
    ...[...k.tasks]
      .filter(([, t]) => !isEnded(t.state))
      .map(
        ([key, t]): Target => ({
          key: `t${key}`,
          icon: "tasks",
          label: t.task_id.value,
          detail: "Task",
          href: taskHref(t.framework_id.value, t.task_id.value),
        }),
      ),
  ];
}

export function CommandPalette({ onClose }: { onClose: () => void }) {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const k = useStore(kernel);
  const m = useStore(marathon);
  const j = useStore(jobs);
  const all = useMemo(() => allTargets(k, m, j), [k, m, j]);
  const found = useMemo(() => {
    const filter = parseFilter(text);
    return all.filter((t) => passes(filter, `${t.label} ${t.detail}`)).slice(0, kMaxShown);
  }, [all, text]);
  const chosen = Math.min(at, found.length - 1);

  const go = (target: Target | undefined) => {
    if (!target) return;
    onClose();
    navigate(target.href);
  };
  const onKey = (event: React.KeyboardEvent) => {
    if (event.key === "ArrowDown") setAt(Math.min(chosen + 1, found.length - 1));
    else if (event.key === "ArrowUp") setAt(Math.max(chosen - 1, 0));
    else if (event.key === "Enter") go(found[chosen]);
    else return;
    event.preventDefault();
  };

  return (
    <Dialog title="Search" onClose={onClose} wide>
      <div className="palette">
        <input
          type="search"
          data-autofocus
          value={text}
          placeholder="Service, job, node or task"
          aria-label="Search"
          role="combobox"
          aria-expanded="true"
          aria-controls="palette-list"
          aria-activedescendant={found[chosen] ? `palette-${chosen}` : undefined}
          spellCheck={false}
          autoComplete="off"
          onChange={(e) => (setText(e.target.value), setAt(0))}
          onKeyDown={onKey}
        />
        <ul id="palette-list" role="listbox" aria-label="Found">
          {found.map((target, i) => (
            <li
              key={target.key}
              id={`palette-${i}`}
              role="option"
              aria-selected={i === chosen}
              onMouseMove={() => setAt(i)}
              onClick={() => go(target)}
            >
              <Icon name={target.icon} /> <span className="palette-label">{target.label}</span>{" "}
              <span className="dim">{target.detail}</span>
            </li>
          ))}
          {found.length === 0 && <li className="dim">Nothing has this in its name.</li>}
        </ul>
      </div>
    </Dialog>
  );
}
