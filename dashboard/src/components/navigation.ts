// The pages of the dashboard, in the order of the navigation.

import type { IconName } from "./icons";

interface NavItem {
  href: string;
  label: string;
  icon: IconName;
  /** First path segments that belong to this item. */
  routes: readonly string[];
  /** The key after `g`. */
  key: string;
  /** Not in the bar at the bottom of a phone. */
  minor?: boolean;
}

export const kNav: readonly NavItem[] = [
  { href: "#/", label: "Overview", icon: "overview", routes: [""], key: "o" },
  {
    href: "#/services",
    label: "Services",
    icon: "services",
    routes: ["services", "service", "service-edit"],
    key: "s",
  },
  { href: "#/tasks", label: "Tasks", icon: "tasks", routes: ["tasks", "task"], key: "t" },
  { href: "#/nodes", label: "Nodes", icon: "nodes", routes: ["nodes", "node"], key: "n" },
  { href: "#/deployments", label: "Deployments", icon: "deployments", routes: ["deployments"], key: "d" },
  {
    href: "#/frameworks",
    label: "Frameworks",
    icon: "frameworks",
    routes: ["frameworks"],
    key: "f",
    minor: true,
  },
];
