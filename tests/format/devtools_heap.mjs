/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Chrome DevTools' own code for heap snapshots, from its npm package, made one file that Node.js
 * runs. For the test beside this file, and for tests/bench.
 */

import { createReadStream } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { MessageChannel } from "node:worker_threads";

/* Node.js has it from 22 on, and DevTools' code uses it. */
Promise.withResolvers ??= () => {
  const parts = {};
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return parts;
};

/* Texts of progress are all that it needs translations for. */
const withoutTranslations = {
  name: "without translations",
  setup(build) {
    build.onResolve({ filter: /core\/i18n\/i18n\.js$|\/locales\.js$/ },
      ({ path }) => ({ path, namespace: "stub" }));
    build.onLoad({ filter: /i18n\.js$/, namespace: "stub" }, () => ({
      contents: "const text = (...args) => String(args[0]);" +
        "export const i18n = new Proxy({}, { get: () => () => text });",
    }));
    build.onLoad({ filter: /locales\.js$/, namespace: "stub" }, () => ({
      contents: "export const LOCALES = [], BUNDLED_LOCALES = [], DEFAULT_LOCALE = 'en-US'," +
        "REMOTE_FETCH_PATTERN = '', LOCAL_FETCH_PATTERN = '';",
    }));
  },
};

/* Its classes, from a bundle that is written to `outfile`. */
export async function bundleDevTools(outfile) {
  const { build } = await import("esbuild");
  const root = dirname(createRequire(import.meta.url)
    .resolve("chrome-devtools-frontend/package.json"));
  const worker = join(root, "front_end/entrypoints/heap_snapshot_worker");
  await build({
    stdin: {
      contents: `export * from "${worker}/HeapSnapshot.ts";
        export * from "${worker}/HeapSnapshotLoader.ts";`,
      resolveDir: root,
    },
    bundle: true, platform: "node", format: "esm", outfile, logLevel: "error", target: "node18",
    plugins: [withoutTranslations],
  });
  return import(pathToFileURL(outfile));
}

/* A file as it has it, with all that it finds out when it opens one. */
export async function loadSnapshot(devtools, file) {
  const loader = new devtools.HeapSnapshotLoader({ sendEvent() {} });
  for await (const chunk of createReadStream(file, { encoding: "utf8", highWaterMark: 10 << 20 })) {
    loader.write(chunk);
    await new Promise(setImmediate);
  }
  loader.close();
  await loader.parsingComplete;
  const { port1, port2 } = new MessageChannel();
  new devtools.SecondaryInitManager(port2);
  const snapshot = await loader.buildSnapshot(port1);
  port1.close();
  port2.close();
  return snapshot;
}
