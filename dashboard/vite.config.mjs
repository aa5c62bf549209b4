import { defineConfig } from "vitest/config";
import react from "@vitejs/plugin-react";
import { gzipSync } from "node:zlib";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Writes a `.gz` sibling for every text asset, which the gateway serves to clients that accept gzip. */
function precompress() {
  let assets = "";
  return {
    name: "precompress",
    apply: "build",
    configResolved(config) {
      assets = join(config.root, config.build.outDir, config.build.assetsDir);
      if (config.build.outDir.startsWith("/")) assets = join(config.build.outDir, config.build.assetsDir);
    },
    closeBundle() {
      for (const name of readdirSync(assets)) {
        if (!/\.(js|css|svg)$/.test(name)) continue;
        writeFileSync(join(assets, name + ".gz"), gzipSync(readFileSync(join(assets, name)), { level: 9 }));
      }
    },
  };
}

// During development the gateway's paths are forwarded to a running cluster: DCOS_URL=http://127.0.0.1 npm run dev
const gateway = process.env["DCOS_URL"] ?? "http://127.0.0.1";
const forwarded = ["/mesos", "/service", "/agent", "/dcos-metadata", "/metadata", "/acs", "/package"];

export default defineConfig({
  plugins: [react(), precompress()],
  build: { outDir: "dist", assetsDir: "assets", target: "es2022", modulePreload: false },
  server: {
    proxy: Object.fromEntries(forwarded.map((path) => [path, { target: gateway, changeOrigin: true }])),
  },
  test: { include: ["src/**/*_test.ts"], environment: "node" },
});
