// The load balancer's view of named addresses, as the gateway's node sees it. It has no stream for browsers.

import { request } from "./http";
import { Poller } from "./poll";
import { Store } from "./store";

export interface Backend {
  ip: string;
  port: number;
}

export interface Vip {
  /** "name.framework.l4lb.thisdcos.directory:port", or "ip:port". */
  vip: string;
  protocol: string;
  backend: Backend[];
}

export const vips = new Store<{ ready: boolean; vips: readonly Vip[] }>({ ready: false, vips: [] });

const kEveryMs = 3000;

export const vipsPoll = new Poller(kEveryMs, async (signal) => {
  const read = await request<Vip[]>("/net/v1/vips", { signal });
  const before = vips.get();
  // The same answer renders nothing again.
  if (before.ready && JSON.stringify(before.vips) === JSON.stringify(read)) return;
  vips.set({ ready: true, vips: read });
});
