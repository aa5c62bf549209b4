// Routes live behind the `#`, so the gateway serves one page and unknown paths stay honest 404s.

import { Store, useStore } from "./api/store";

export interface Route {
  /** Path segments, decoded: `#/task/f/t` -> ["task", "f", "t"]. */
  path: string[];
  query: URLSearchParams;
}

export function parseHash(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#/, "").split("?", 2);
  const segments = path
    .split("/")
    .filter((s) => s !== "")
    .map((s) => {
      try {
        return decodeURIComponent(s);
      } catch {
        return s;
      }
    });
  return { path: segments, query: new URLSearchParams(query) };
}

const route = new Store<Route>(parseHash(typeof location === "undefined" ? "" : location.hash));

if (typeof window !== "undefined") {
  window.addEventListener("hashchange", () => {
    const before = route.get().path.join("/");
    route.set(parseHash(location.hash));
    if (route.get().path.join("/") !== before) window.scrollTo(0, 0);
  });
}

export function useRoute(): Route {
  return useStore(route);
}

export function navigate(href: string, replace = false): void {
  if (replace) {
    history.replaceState(null, "", href);
    route.set(parseHash(href));
  } else {
    location.hash = href.replace(/^#/, "");
  }
}

/** Changes one query parameter of the current route in place; "" removes it. */
export function setQuery(name: string, value: string): void {
  const query = new URLSearchParams(route.get().query);
  if (value) query.set(name, value);
  else query.delete(name);
  const text = query.toString();
  navigate(`${location.hash.split("?")[0] || "#/"}${text ? `?${text}` : ""}`, true);
}

export const serviceHref = (id: string) =>
  `#/service/${id.replace(/^\/+/, "").split("/").map(encodeURIComponent).join("/")}`;
export const serviceEditHref = (id: string) => serviceHref(id).replace("#/service/", "#/service-edit/");
export const jobHref = (name: string) => `#/job/${encodeURIComponent(name)}`;
export const jobEditHref = (name: string) => `#/job-edit/${encodeURIComponent(name)}`;
export const packageHref = (name: string) => `#/package/${encodeURIComponent(name)}`;
export const packageEditHref = (id: string) => serviceHref(id).replace("#/service/", "#/package-edit/");
export const nodeHref = (id: string) => `#/node/${encodeURIComponent(id)}`;
export const taskHref = (frameworkId: string, taskId: string) =>
  `#/task/${encodeURIComponent(frameworkId)}/${encodeURIComponent(taskId)}`;
