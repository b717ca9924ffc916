/* SPDX-License-Identifier: Apache-2.0 */

/*
 * usage of every test here: node NAME.mjs CONVERT
 *
 * What the tests share: the convert program, other people's packages, and what they must find in
 * tests/known_profile.h.
 */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const convertProgram = process.argv[2];

export function skip(reason) {
  console.log(`skipped: ${reason}`);
  process.exit(77);
}

/* An npm package of package.json, or the end of the test with 77 where it is not installed. */
export async function need(name) {
  try {
    return await import(name);
  } catch (error) {
    if (error.code !== "ERR_MODULE_NOT_FOUND")
      throw error;
    return skip(`${name} is not installed; run 'npm ci' in tests/format`);
  }
}

/* A folder that is gone when the test ends. */
export function makeFolder() {
  const folder = mkdtempSync(join(tmpdir(), "nodiag-format-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/* The bytes of `input`, a file or a built-in profile, in a format of nodiag's. */
export function convert(input, format) {
  return execFileSync(convertProgram, [input, format], { maxBuffer: 1 << 30 });
}

/* What nodiag itself finds in a file: functions by name, with self, total and frame. */
export function importWithNodiag(file) {
  const profile = JSON.parse(convert(file, "json"));
  const functions = new Map();
  for (const { frame, self, total } of profile.functions)
    addTo(functions, profile.frames[frame].name, { self, total, ...profile.frames[frame] });
  return { ...profile, byName: functions };
}

function addTo(functions, name, values) {
  const known = functions.get(name);
  if (known) {
    known.self += values.self;
    known.total += values.total;
  } else {
    functions.set(name, values);
  }
}

/* Of tests/known_profile.h, in samples of 10 ms. */
export const PERIOD_NS = 10_000_000;
export const SAMPLES = 100;
export const IDLE_NS = 500_000_000;
export const EVIL_NAME = "e;v\ri\nl \u001b[31m\ufffd</script>&\"\\é 12";
export const EVIL_FILE = "/app/€;x \t.js";
export const KNOWN = [
  { name: "tiny", self: 30, total: 30, file: "/app/hot.js", line: 20, column: 7 },
  { name: "hot", self: 29, total: 64, file: "/app/hot.js", line: 5, column: 1 },
  { name: "parse", self: 10, total: 10, file: "/app/node_modules/qs/index.js", line: 3, column: 2 },
  { name: "fib", self: 10, total: 10, file: "/app/hot.js", line: 30, column: 1 },
  { name: "do_syscall_64", self: 8, total: 8, file: "" },
  { name: "v8::internal::Heap::Scavenge", self: 5, total: 5, file: "/usr/bin/node" },
  { name: "ArrayPrototypeSort", self: 5, total: 5, file: "" },
  { name: EVIL_NAME, self: 2, total: 2, file: EVIL_FILE, line: 2, column: 1 },
  { name: "handler", self: 0, total: 70, file: "file:///app/server.mjs", line: 10, column: 3 },
  { name: "(anonymous)", self: 0, total: 82, file: "file:///app/server.mjs", line: 1, column: 1 },
  { name: "processTicksAndRejections", self: 0, total: 82,
    file: "node:internal/process/task_queues", line: 67, column: 35 },
  { name: "worker", self: 0, total: 9, file: "/app/worker.js", line: 2, column: 1 },
  { name: "uv__io_poll", self: 0, total: 8, file: "/usr/bin/node" },
];

/* Sums stacks up to functions, a recursive one once for each stack. */
export class Functions {
  constructor() {
    this.map = new Map();
    this.total = 0;
  }

  /* `names` from the innermost on. */
  add(names, weight) {
    this.total += weight;
    for (const name of new Set(names))
      addTo(this.map, name, { self: 0, total: weight });
    if (names.length)
      this.map.get(names[0]).self += weight;
  }

  /* Compares with KNOWN, whose weights are `unit` here; `rename` maps names to what is expected. */
  check(unit, rename = (name) => name) {
    for (const { name, self, total } of KNOWN)
      assert.deepEqual([name, this.map.get(rename(name))],
        [name, { self: self * unit, total: total * unit }]);
  }
}
