// The frame around every page: navigation, cluster name, search, appearance, shortcuts.

import { useState } from "react";
import { cluster, kernel, marathon } from "../api/live";
import { isEnded } from "../api/kernel_model";
import { useStore } from "../api/store";
import { useShortcuts } from "../hooks";
import { navigate, useRoute } from "../router";
import { isDark, systemChanges, theme, toggleTheme } from "../theme";
import { Banners, LiveDot } from "./banner";
import { Icon } from "./icons";
import { kNav } from "./navigation";
import { CommandPalette } from "./command_palette";
import { ShortcutHelp } from "./shortcut_help";
import { Toasts } from "./toasts";

function useCounts(): Record<string, number> {
  const k = useStore(kernel);
  const m = useStore(marathon);
  let live = 0;
  for (const task of k.tasks.values()) if (!isEnded(task.state)) live += 1;
  return {
    "#/services": m.apps.size,
    "#/tasks": live,
    "#/nodes": k.agents.size,
    "#/deployments": m.deployments.size,
    "#/frameworks": k.frameworks.size,
  };
}

function Navigation() {
  const first = useRoute().path[0] ?? "";
  const counts = useCounts();
  return (
    <nav className="nav" aria-label="Main">
      {kNav.map((item) => (
        <a
          key={item.href}
          href={item.href}
          className={item.minor ? "minor" : ""}
          aria-current={item.routes.includes(first) ? "page" : undefined}
        >
          <Icon name={item.icon} />
          <span>{item.label}</span>
          {counts[item.href] ? (
            <span className={`count${item.href === "#/deployments" ? " busy" : ""}`}>
              {counts[item.href]}
            </span>
          ) : null}
        </a>
      ))}
    </nav>
  );
}

/** j and k, or the arrow keys, walk through the rows of the table on the page. */
function moveRow(step: number): void {
  const links = [...document.querySelectorAll<HTMLElement>("[data-row-link]")];
  const at = links.indexOf(document.activeElement as HTMLElement);
  links[at < 0 ? (step > 0 ? 0 : links.length - 1) : at + step]?.focus();
}

let prefix = 0;
const kPrefixMs = 1200;

export function Shell({ children }: { children: React.ReactNode }) {
  const info = useStore(cluster);
  const chosen = useStore(theme);
  useStore(systemChanges);
  const [palette, setPalette] = useState(false);
  const [help, setHelp] = useState(false);

  useShortcuts((event) => {
    const command = event.metaKey || event.ctrlKey;
    if (command && event.key.toLowerCase() === "k") {
      event.preventDefault();
      setPalette(true);
      return;
    }
    if (command || event.altKey) return;
    const afterG = Date.now() - prefix < kPrefixMs;
    prefix = 0;
    const target = afterG && kNav.find((item) => item.key === event.key);
    if (target) return navigate(target.href);
    if (event.key === "g") prefix = Date.now();
    else if (event.key === "/") {
      event.preventDefault();
      const filter = document.querySelector<HTMLInputElement>("main [data-filter]");
      if (filter) filter.focus();
      else setPalette(true);
    } else if (event.key === "?") setHelp(true);
    else if (event.key === "c") navigate("#/services/new");
    else if (event.key === "j") moveRow(1);
    else if (event.key === "k") moveRow(-1);
  });

  return (
    <div className="shell">
      <a
        className="skip"
        href="#main"
        onClick={(e) => (e.preventDefault(), document.getElementById("main")?.focus())}
      >
        Skip to content
      </a>
      <aside className="side">
        <a className="brand" href="#/" aria-label="Overview">
          <svg width="24" height="24" viewBox="0 0 32 32" aria-hidden="true">
            <rect width="32" height="32" rx="8" />
            <path d="M9 10.5 16 7l7 3.5v11L16 25l-7-3.5zM9 10.5l7 3.5 7-3.5M16 14v11" />
          </svg>
          <span className="brand-text">
            <strong data-cluster-name>{info.name || "DC/OS"}</strong>
            <small>{info.version ? `DC/OS ${info.version}` : "DC/OS"}</small>
          </span>
        </a>
        <button className="search-button" onClick={() => setPalette(true)}>
          <Icon name="search" size={14} /> <span>Search</span> <kbd>Ctrl K</kbd>
        </button>
        <Navigation />
        <div className="side-foot">
          <LiveDot />
          <span className="spacer" />
          <button
            className="icon-button"
            aria-label="Keyboard shortcuts"
            title="Keyboard shortcuts (?)"
            onClick={() => setHelp(true)}
          >
            <Icon name="help" />
          </button>
          <button
            className="icon-button"
            aria-label={isDark(chosen) ? "Light appearance" : "Dark appearance"}
            title={isDark(chosen) ? "Light appearance" : "Dark appearance"}
            onClick={toggleTheme}
            data-theme-toggle
          >
            <Icon name={isDark(chosen) ? "sun" : "moon"} />
          </button>
        </div>
      </aside>
      <main id="main" tabIndex={-1}>
        <Banners />
        <div className="page">{children}</div>
      </main>
      {palette && <CommandPalette onClose={() => setPalette(false)} />}
      {help && <ShortcutHelp onClose={() => setHelp(false)} />}
      <Toasts />
    </div>
  );
}
