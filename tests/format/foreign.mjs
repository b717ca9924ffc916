/* SPDX-License-Identifier: Apache-2.0 */

/* Files that other profilers wrote just now, read by nodiag and by somebody else. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";

import { Functions, importWithNodiag, makeFolder, need } from "./lib.mjs";

const { CPUProfileDataModel: { CPUProfileDataModel } } =
  await need("@paulirish/trace_engine/models/cpu_profile/cpu_profile.js");
const { Profile } = await need("pprof-format");
await need("@datadog/pprof");

const folder = makeFolder();

/* Deep and shallow stacks, garbage, native and anonymous functions, eval, a regular expression. */
const WORK = `
  function spin(n) { let s = 0; for (let i = 0; i < n; i++) s += Math.sqrt(i) % 7; return s; }
  function deep(n) { return n ? deep(n - 1) + 1 : spin(20000); }
  function churn() { const all = []; for (let i = 0; i < 20000; i++) all.push({ i }); return all; }
  const evaluated = (0, eval)("(function evaluated(n) { let s = 1; while (n--) s *= 1.1; return s })");
  const { statSync } = require("fs");
  function work(ms) {
    for (const end = Date.now() + ms; Date.now() < end;) {
      deep(30); churn(); evaluated(20000);
      for (let i = 0; i < 200; i++) statSync(__filename);
      /(x+)+y/.test("x".repeat(15));
      JSON.stringify([3, 1, 2].map((x) => ({ x, y: [x] })).sort((a, b) => a.x - b.x));
    }
  }
`;

function cpuProfile() {
  const script = join(folder, "work.js");
  writeFileSync(script, `${WORK} work(500); setTimeout(() => work(200), 100);`);
  execFileSync(process.execPath,
    ["--cpu-prof", "--cpu-prof-dir", folder, "--cpu-prof-name", "work.cpuprofile", script]);
  return join(folder, "work.cpuprofile");
}

/* What a .cpuprofile says: each sample lasts until the next. In nanoseconds. */
function sumUp(profile) {
  const functions = new Functions();
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  for (const node of profile.nodes)
    for (const child of node.children ?? [])
      nodes.get(child).parent = node.id;
  const times = [];
  for (const delta of profile.timeDeltas)
    times.push((times.at(-1) ?? profile.startTime) + delta);
  const order = [...times.keys()].sort((a, b) => times[a] - times[b]);
  order.forEach((index, i) => {
    const end = i + 1 < order.length ? times[order[i + 1]] : profile.endTime;
    const names = [];
    for (let node = nodes.get(profile.samples[index]); node; node = nodes.get(node.parent)) {
      const { functionName, url, lineNumber, columnNumber } = node.callFrame;
      if (functionName !== "(root)")
        names.push(keyOfPlace({ name: functionName || "(anonymous)", file: url,
          line: lineNumber + 1, column: columnNumber + 1 }));
    }
    functions.add(names, Math.max(0, end - times[index]) * 1000);
  });
  return functions;
}

/* Compares all functions, which `keyOf` a frame of nodiag's tells apart as `functions` does. */
function checkSame(imported, functions, keyOf) {
  const byKey = new Map();
  for (const { frame, self, total } of imported.functions)
    byKey.set(keyOf(imported.frames[frame]), { self, total });
  const want = new Map([...functions.map].filter(([, { total }]) => total));
  assert.equal(imported.nodes[0].total, functions.total);
  assert.deepEqual(byKey, want);
}

const keyOfPlace = ({ name, file, line, column }) => `${name} ${file} ${line} ${column}`;
/* As Datadog tells them apart: its functions have no position but those without a name. */
const keyOfFile = ({ name, file, line, column }) => name === "(anonymous)"
  ? `(anonymous:L#${line}:C#${column}) ${file}` : `${name} ${file}`;

test("node --cpu-prof", () => {
  const file = cpuProfile();
  const profile = JSON.parse(readFileSync(file));
  const imported = importWithNodiag(file);
  const { byName } = imported;

  checkSame(imported, sumUp(profile), keyOfPlace);
  assert.equal(byName.get("deep").kind, "js");
  assert.equal(byName.get("spin").kind, "js");
  /* Whether the others were caught is a matter of luck. */
  const kinds = { evaluated: "js", "(garbage collector)": "gc", "(idle)": "idle",
    "(program)": "native" };
  for (const { name, kind } of imported.frames)
    assert.equal(kind, kinds[name] ?? kind);
  for (const { kind, file } of imported.frames)
    assert.equal(kind === "node", file.startsWith("node:"));
  for (const kind of ["builtin", "regexp"])
    assert.ok(imported.functions.some(({ frame }) => imported.frames[frame].kind === kind), kind);
  assert.equal(byName.get("deep").line, 3);
  assert.ok(byName.get("deep").file.endsWith("/work.js"));
  assert.equal(imported.info.duration_ns, (profile.endTime - profile.startTime) * 1000);

  const samples = imported.nodes.reduce((sum, node) => sum + node.samples, 0);
  assert.equal(samples, profile.samples.length);
});

test("node --cpu-prof, against DevTools", () => {
  const profile = JSON.parse(readFileSync(join(folder, "work.cpuprofile")));
  const { byName } = importWithNodiag(join(folder, "work.cpuprofile"));
  const self = new Map();
  new CPUProfileDataModel(profile).forEachFrame(() => {}, (d, node, s, start, duration, ms) =>
    self.set(node.functionName, (self.get(node.functionName) ?? 0) + ms));
  /*
   * DevTools takes a lone (program) sample for its neighbours', and gives the last a mean time; one
   * sample is as long as the program did not get the CPU.
   */
  const program = (byName.get("(program)")?.self ?? 0) / 1e6;
  const last = (profile.endTime - profile.startTime -
    profile.timeDeltas.reduce((sum, delta) => sum + delta, 0)) / 1e3;
  const doubt = program + Math.max(last, 2, ...profile.timeDeltas.map((us) => us / 1e3));
  assert.ok(self.size > 10);
  for (const [name, ms] of self)
    if (name !== "(program)")
      assert.ok(Math.abs(byName.get(name || "(anonymous)").self / 1e6 - ms) <= doubt,
        `${name}: ${byName.get(name || "(anonymous)").self / 1e6} and ${ms} ms`);
});

test("node --cpu-prof, lines", () => {
  const profile = JSON.parse(readFileSync(join(folder, "work.cpuprofile")));
  const { nodes, frames } = importWithNodiag(join(folder, "work.cpuprofile"));
  const count = (list) => {
    const lines = new Map();
    for (const [line, samples] of list)
      lines.set(line, (lines.get(line) ?? 0) + samples);
    return new Map([...lines].sort(([a], [b]) => a - b));
  };
  const have = count(nodes.filter(({ frame }) => frame !== null && frames[frame].name === "spin")
    .flatMap(({ lines = [] }) => lines.map(({ line, samples }) => [line, samples])));
  const want = count(profile.nodes.filter(({ callFrame }) => callFrame.functionName === "spin")
    .flatMap(({ positionTicks = [] }) => positionTicks.map(({ line, ticks }) => [line, ticks])));
  assert.ok(want.size > 0);
  assert.deepEqual(have, want);
});

test("a packed .cpuprofile", () => {
  const file = join(folder, "work.cpuprofile");
  writeFileSync(`${file}.gz`, gzipSync(readFileSync(file)));
  assert.equal(importWithNodiag(`${file}.gz`).nodes[0].total,
    importWithNodiag(file).nodes[0].total);
});

/* A pprof profile summed up by pprof-format. */
function sumUpPprof(file) {
  const profile = Profile.decode(gunzipSync(readFileSync(file)));
  const text = (index) => profile.stringTable.strings[Number(index)];
  const names = new Map(profile.function.map((item) =>
    [Number(item.id), keyOfFile({ name: text(item.name), file: text(item.filename) })]));
  const locations = new Map(profile.location.map((item) =>
    [Number(item.id), item.line.map((line) => names.get(Number(line.functionId)))]));
  const functions = new Functions();
  for (const sample of profile.sample)
    functions.add(sample.locationId.flatMap((id) => locations.get(Number(id))),
      Number(sample.value.at(-1)));
  const samples = profile.sample.reduce((sum, sample) => sum + Number(sample.value[0]), 0);
  return { functions, samples, profile };
}

/* Datadog's profilers have to be in the process. */
function runDatadog(name, code) {
  const file = join(folder, name);
  const pprof = createRequire(import.meta.url).resolve("@datadog/pprof");
  const script = join(folder, `${name}.js`);
  writeFileSync(script, `const pprof = require(${JSON.stringify(pprof)}); ${WORK} ${code}
    require("fs").writeFileSync(${JSON.stringify(file)}, pprof.encodeSync(profile));`);
  execFileSync(process.execPath, [script]);
  return file;
}

for (const lineNumbers of [false, true])
  test(`@datadog/pprof, ${lineNumbers ? "lines" : "functions"}`, () => {
    const file = runDatadog(`time-${lineNumbers}.pb.gz`, `
      pprof.time.start({ intervalMicros: 1000, durationMillis: 1000,
        lineNumbers: ${lineNumbers} });
      work(500);
      const profile = pprof.time.stop();`);
    const { functions, samples } = sumUpPprof(file);
    const imported = importWithNodiag(file);
    const { byName } = imported;

    checkSame(imported, functions, keyOfFile);
    assert.equal(imported.info.unit, "nanoseconds");
    assert.equal(imported.info.sample_type, "wall");
    assert.equal(imported.nodes.reduce((sum, node) => sum + node.samples, 0), samples);
    assert.equal(byName.get("spin").kind, "js");
    assert.equal(byName.get("Garbage Collection").kind, "gc");
    assert.ok(imported.frames.some(({ kind }) => kind === "node"));
    if (!lineNumbers)
      assert.equal(byName.get("deep").line, 3);
  });

test("@datadog/pprof, heap", () => {
  const file = runDatadog("heap.pb.gz", `
    pprof.heap.start(16 * 1024, 64);
    globalThis.kept = [];
    for (let i = 0; i < 200; i++) globalThis.kept.push(churn());
    const profile = pprof.heap.profile();`);
  const { functions } = sumUpPprof(file);
  const imported = importWithNodiag(file);

  checkSame(imported, functions, keyOfFile);
  assert.equal(imported.info.unit, "bytes");
  assert.equal(imported.byName.get("churn").kind, "js");
  assert.ok(imported.byName.get("churn").total > 1_000_000);
});
