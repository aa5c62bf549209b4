import { expect, test } from "vitest";
import { domainFragment, viewVips, vipAddress, vipsOfApp } from "./vips";

test("labels become the names that the balancer serves", () => {
  const zone = "marathon.l4lb.thisdcos.directory";
  for (const [label, address] of [
    ["/l4lbtest:5000", `l4lbtest.${zone}:5000`],
    ["name:80", `name.${zone}:80`],
    ["/group/app:80", `groupapp.${zone}:80`],
    ["a.b:80", `a.b.${zone}:80`],
    ["1.2.3.4:5000", "1.2.3.4:5000"],
    ["fd01:c::1:5000", "[fd01:c::1]:5000"],
    ["name", ""],
    ["name:0", ""],
    [":80", ""],
    ["name:http", ""],
  ])
    expect(vipAddress(label!, "marathon"), label).toBe(address);
});

test("a fragment of a domain keeps what a name may have", () => {
  expect(domainFragment("(@ host . com")).toBe("host.com");
  expect(domainFragment("pod_123$abc.marathon-0.6.0-dev.mesos")).toBe("pod-123abc.marathon-0.6.0-dev.mesos");
});

const redis = {
  id: "/data/redis",
  portDefinitions: [{ port: 0, protocol: "tcp", labels: { VIP_0: "/redis:6379", other: "x:1" } }],
};

test("the addresses of an app come from the labels of its ports, wherever those are", () => {
  expect(vipsOfApp(redis).map((v) => v.address)).toEqual(["redis.marathon.l4lb.thisdcos.directory:6379"]);
  expect(
    vipsOfApp({ id: "/a", container: { portMappings: [{ containerPort: 80, labels: { vip_1: "/a:80" } }] } }),
  ).toHaveLength(1);
  expect(vipsOfApp({ id: "/none" })).toEqual([]);
});

test("what is listed is joined with who asked for it, and a missing one shows", () => {
  const address = "redis.marathon.l4lb.thisdcos.directory:6379";
  const backend = [{ ip: "10.0.0.1", port: 31000 }];
  expect(viewVips([{ vip: address, protocol: "tcp", backend }], [redis])).toEqual([
    {
      key: `${address}/tcp`,
      address,
      protocol: "tcp",
      backends: backend,
      services: ["/data/redis"],
      listed: true,
    },
  ]);
  expect(viewVips([], [redis])).toMatchObject([{ address, listed: false, backends: [] }]);
});
