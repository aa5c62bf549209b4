import { expect, test } from "vitest";
import { filterPackages, iconOf, installedKey, parseNotes, sortPackages, sortVersions } from "./catalog";

const packages = [
  { name: "nginx", currentVersion: "1", versions: {}, tags: ["web"] },
  { name: "redis", currentVersion: "7", versions: {}, selected: true, description: "A store" },
  { name: "etcd", currentVersion: "3", versions: {}, framework: true },
];

test("selected packages come first, and all can be filtered", () => {
  expect(sortPackages(packages).map((p) => p.name)).toEqual(["redis", "etcd", "nginx"]);
  expect(filterPackages(packages, "STORE").map((p) => p.name)).toEqual(["redis"]);
  expect(filterPackages(packages, "is:framework").map((p) => p.name)).toEqual(["etcd"]);
});

test("the newest version is the one with the highest release, as number or text", () => {
  expect(sortVersions({ "1.9": 2, "1.10": 10, "1.2": "1" })).toEqual(["1.10", "1.9", "1.2"]);
});

test("only icons from within the cluster are shown", () => {
  const resource = "/package/resource?url=https%3A%2F%2Fx.example%2Fi.png";
  expect(iconOf({ "icon-small": `http://gateway.example${resource}` })).toBe(resource);
  expect(iconOf({ "icon-medium": "data:image/png;base64,AA" })).toBe("data:image/png;base64,AA");
  expect(iconOf({ "icon-small": "https://cdn.example/i.png" })).toBe("");
  expect(iconOf({ "icon-small": "data:text/html,x" })).toBe("");
  expect(iconOf(undefined)).toBe("");
});

test("the list of what is installed is stale when an app of a package changes, and only then", () => {
  const app = (id: string, version: string, labels = {}) => ({ id, version, labels });
  const redis = app("/redis", "1", { DCOS_PACKAGE_NAME: "redis" });
  const before = installedKey([redis, app("/x", "1")]);
  expect(installedKey([app("/x", "2"), redis])).toBe(before);
  expect(installedKey([{ ...redis, version: "2" }])).not.toBe(before);
  expect(installedKey([])).toBe("");
});

test("notes have paragraphs, links and code", () => {
  expect(parseNotes("See https://x.example/a. Then:\n\n`dcos redis` (https://y.example)\n")).toEqual([
    [
      { kind: "text", text: "See " },
      { kind: "link", text: "https://x.example/a" },
      { kind: "text", text: ". Then:" },
    ],
    [
      { kind: "code", text: "dcos redis" },
      { kind: "text", text: " (" },
      { kind: "link", text: "https://y.example" },
      { kind: "text", text: ")" },
    ],
  ]);
});
