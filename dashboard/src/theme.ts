// Light or dark: as the system says, unless chosen here.

import { Store } from "./api/store";

export type Theme = "system" | "light" | "dark";

const kKey = "dcos-theme";

function stored(): Theme {
  try {
    const value = localStorage.getItem(kKey);
    return value === "light" || value === "dark" ? value : "system";
  } catch {
    return "system";
  }
}

export const theme = new Store<Theme>(stored());

function apply(value: Theme): void {
  if (value === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = value;
}

/** Counts the changes of the system's appearance, so that what depends on it renders again. */
export const systemChanges = new Store(0);

export function startTheme(): void {
  apply(theme.get());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => systemChanges.update((n) => n + 1));
}

export function isDark(value: Theme): boolean {
  return value === "dark" || (value === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
}

/** Goes to the other appearance; choosing what the system says anyway follows the system again. */
export function toggleTheme(): void {
  const next: Theme = isDark(theme.get()) ? "light" : "dark";
  const value: Theme = isDark("system") === (next === "dark") ? "system" : next;
  theme.set(value);
  apply(value);
  try {
    if (value === "system") localStorage.removeItem(kKey);
    else localStorage.setItem(kKey, value);
  } catch {
    // A browser that stores nothing still shows the choice until the page is closed.
  }
}
