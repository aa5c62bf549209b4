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
  /** In the bar at the bottom of a phone it is behind More. */
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
  { href: "#/jobs", label: "Jobs", icon: "jobs", routes: ["jobs", "job", "job-edit"], key: "j" },
  {
    href: "#/catalog",
    label: "Catalog",
    icon: "catalog",
    routes: ["catalog", "package", "package-edit"],
    key: "c",
  },
  { href: "#/nodes", label: "Nodes", icon: "nodes", routes: ["nodes", "node"], key: "n" },
  { href: "#/tasks", label: "Tasks", icon: "tasks", routes: ["tasks", "task"], key: "t", minor: true },
  {
    href: "#/deployments",
    label: "Deployments",
    icon: "deployments",
    routes: ["deployments"],
    key: "d",
    minor: true,
  },
  {
    href: "#/networking",
    label: "Networking",
    icon: "network",
    routes: ["networking"],
    key: "w",
    minor: true,
  },
  {
    href: "#/frameworks",
    label: "Frameworks",
    icon: "frameworks",
    routes: ["frameworks"],
    key: "f",
    minor: true,
  },
];
