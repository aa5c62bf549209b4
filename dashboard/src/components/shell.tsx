// The frame around every page: navigation, cluster name, search, appearance, shortcuts.

import { Fragment, useState } from "react";
import { cluster, kernel, marathon } from "../api/live";
import { isEnded } from "../api/kernel_model";
import { signOut } from "../api/login";
import { session } from "../api/session";
import { useStore } from "../api/store";
import { useShortcuts } from "../hooks";
import { navigate, useRoute } from "../router";
import { Login } from "../pages/login";
import { isDark, systemChanges, theme, toggleTheme } from "../theme";
import { Banners, LiveDot } from "./banner";
import { Brand } from "./brand";
import { Dialog } from "./dialog";
import { Icon } from "./icons";
import { messageOf } from "../api/http";
import { kNav } from "./navigation";
import { CommandPalette } from "./command_palette";
import { ShortcutHelp } from "./shortcut_help";
import { Toasts, toast } from "./toasts";

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

async function leave(): Promise<void> {
  try {
    await signOut();
  } catch (error) {
    toast(`The gateway did not hear of it: ${messageOf(error)}`);
  }
}

/** Who is signed in, and the way out. Shows nothing where nobody signs in. */
function Person() {
  const { user } = useStore(session);
  if (!user) return null;
  return (
    <div className="person" data-user={user.uid}>
      <Icon name="user" />
      <span className="person-name" title={user.description || user.uid}>
        {user.uid}
      </span>
      <button
        className="icon-button"
        aria-label="Sign out"
        title="Sign out"
        onClick={() => void leave()}
        data-sign-out
      >
        <Icon name="exit" />
      </button>
    </div>
  );
}

/** On a phone: the pages that have no room in the bar. */
function MorePages({ onClose }: { onClose: () => void }) {
  const { user } = useStore(session);
  return (
    <Dialog title="More" onClose={onClose}>
      <ul className="more-pages">
        {kNav
          .filter((item) => item.minor)
          .map((item) => (
            <li key={item.href}>
              <a href={item.href} onClick={onClose}>
                <Icon name={item.icon} /> {item.label}
              </a>
            </li>
          ))}
        {user && (
          <li>
            <button onClick={() => (onClose(), void leave())}>
              <Icon name="exit" /> Sign out {user.uid}
            </button>
          </li>
        )}
      </ul>
    </Dialog>
  );
}

function Navigation({ onMore }: { onMore: () => void }) {
  const first = useRoute().path[0] ?? "";
  const counts = useCounts();
  const inMore = kNav.some((item) => item.minor && item.routes.includes(first));
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
      <button className="more-button" onClick={onMore} aria-current={inMore ? "page" : undefined}>
        <Icon name="more" />
        <span>More</span>
      </button>
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
  const [more, setMore] = useState(false);
  const { phase, expired, person } = useStore(session);
  const asked = phase === "asked";

  useShortcuts((event) => {
    if (asked) return;
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
          <Brand />
          <span className="brand-text">
            <strong data-cluster-name>{info.name || "DC/OS"}</strong>
            <small>{info.version ? `DC/OS ${info.version}` : "DC/OS"}</small>
          </span>
        </a>
        <button className="search-button" onClick={() => setPalette(true)}>
          <Icon name="search" size={14} /> <span>Search</span> <kbd>Ctrl K</kbd>
        </button>
        <Navigation onMore={() => setMore(true)} />
        <Person />
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
        <div className="page">{(!asked || expired) && <Fragment key={person}>{children}</Fragment>}</div>
      </main>
      {palette && <CommandPalette onClose={() => setPalette(false)} />}
      {help && <ShortcutHelp onClose={() => setHelp(false)} />}
      {more && <MorePages onClose={() => setMore(false)} />}
      {asked && <Login />}
      <Toasts />
    </div>
  );
}
