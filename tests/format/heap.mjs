/* SPDX-License-Identifier: Apache-2.0 */

/*
 * usage: node heap.mjs DUMP_HEAP NODIAG
 *
 * What nodiag finds out of heap snapshots, compared with what Chrome DevTools does: its own code,
 * bundled for Node.js from its npm package. For every node self size, retained size, dominator and
 * distance, for every class its totals, and for two snapshots what was added to and removed from
 * each class.
 */

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { bundleDevTools, loadSnapshot } from "./devtools_heap.mjs";
import { makeFolder, skip } from "./lib.mjs";

const [, , DUMP_HEAP, NODIAG] = process.argv;
const ALL = ["--limit", "1000000"];
const RECORD_BYTES = 32;

const here = dirname(fileURLToPath(import.meta.url));
const folder = makeFolder();
const devtools = await bundleDevTools(join(folder, "devtools.mjs")).catch((error) => {
  if (!/ERR_MODULE_NOT_FOUND|MODULE_NOT_FOUND/.test(error.code))
    throw error;
  return skip("DevTools or esbuild is not installed; run 'npm ci' in tests/format");
});

function checkNodes(file, snapshot) {
  const bytes = execFileSync(DUMP_HEAP, [file], { maxBuffer: 1 << 30 });
  assert.equal(bytes.length, snapshot.nodeCount * RECORD_BYTES);
  let differences = 0;
  for (let i = 0; i < snapshot.nodeCount; i++) {
    const at = i * RECORD_BYTES;
    const node = i * snapshot.nodeFieldCount;
    const ours = [bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4), bytes.readInt32LE(at + 8),
      Number(bytes.readBigUInt64LE(at + 16)), Number(bytes.readBigUInt64LE(at + 24))];
    const theirs = [snapshot.nodes.getValue(node + snapshot.nodeIdOffset),
      snapshot.dominatorsTree[i], snapshot.nodeDistances[i],
      snapshot.nodes.getValue(node + snapshot.nodeSelfSizeOffset), snapshot.retainedSizes[i]];
    if (ours.join() !== theirs.join() && differences++ < 10)
      console.log(`node ${i}: nodiag ${ours}, DevTools ${theirs}`);
  }
  assert.equal(differences, 0, `${differences} of ${snapshot.nodeCount} nodes differ`);
}

function askNodiag(...args) {
  return JSON.parse(execFileSync(NODIAG, ["heap", ...args, "--json", ...ALL],
    { maxBuffer: 1 << 30 }));
}

function checkClasses(file, snapshot) {
  const ours = askNodiag("summary", file).classes.map((c) =>
    `${c.class} count ${c.count} self ${c.self_bytes} retained ${c.retained_bytes} ` +
    `distance ${c.distance}`);
  const theirs = Object.values(snapshot.aggregatesWithFilter({})).map((c) =>
    `${c.name} count ${c.count} self ${c.self} retained ${c.maxRet} distance ${c.distance}`);
  assert.deepEqual(ours.sort(), theirs.sort());
  assert.ok(ours.length > 50);
}

function checkDiff(files, [before, after]) {
  const ours = askNodiag("diff", ...files).classes.map((c) =>
    `${c.class} +${c.added} -${c.removed} +${c.added_bytes} -${c.removed_bytes}`);
  const theirs = Object.values(after.calculateSnapshotDiff("before",
    before.aggregatesForDiff(after.interfaceDefinitions())))
    .filter((d) => d.addedCount || d.removedCount)
    .map((d) => `${d.name} +${d.addedCount} -${d.removedCount} +${d.addedSize} -${d.removedSize}`);
  assert.deepEqual(ours.sort(), theirs.sort());
  assert.ok(ours.some((line) => line.startsWith("LeakedContext +")));
}

/*
 * Packed, with what was found of it, it says the same; and what it was packed from is what DevTools
 * finds in what comes out again.
 */
async function checkPacked(file, snapshot) {
  const packed = `${file}.nd`;
  const back = `${file}.back`;
  execFileSync(NODIAG, ["heap", "convert", file, "-o", packed], { stdio: "pipe" });
  assert.ok(statSync(packed).size * 5 < statSync(file).size);
  checkNodes(packed, snapshot);
  checkClasses(packed, snapshot);
  const [ours, theirs] = [packed, file].map((name) =>
    askNodiag("query", name, "--class", "Object").objects);
  assert.ok(ours.length > 0);
  assert.deepEqual(ours, theirs);
  for (const id of ["@1", ...ours.slice(0, 5).map((object) => `@${object.id}`)])
    assert.deepEqual(askNodiag("show", packed, id), askNodiag("show", file, id));
  execFileSync(NODIAG, ["heap", "convert", "-f", "heapsnapshot", packed, "-o", back],
    { stdio: "pipe" });
  const again = await loadSnapshot(devtools, back);
  checkNodes(file, again);
  checkClasses(file, again);
}

function nodeOf(line) {
  return join(here, "../e2e/node_modules", `node${line}`, "bin/node");
}

/* Whether the test cannot run, having said so. */
function lacksNode(t, line) {
  if (!existsSync(nodeOf(line)))
    t.skip(`there is no node${line}; run 'npm ci' in tests/e2e`);
  return !existsSync(nodeOf(line));
}

for (const line of [20, 24]) {
  test(`objects of all kinds in Node ${line}`, async (t) => {
    if (lacksNode(t, line))
      return;
    const file = join(folder, `objects-${line}.heapsnapshot`);
    execFileSync(nodeOf(line), [join(here, "programs/objects.cjs"), file], { stdio: "pipe" });
    const snapshot = await loadSnapshot(devtools, file);
    await t.test("all nodes", () => checkNodes(file, snapshot));
    await t.test("all classes", () => checkClasses(file, snapshot));
    if (line === 24)
      await t.test("packed", () => checkPacked(file, snapshot));
  });
}

/* Of a program of the e2e tests. */
for (const line of [18, 26]) {
  test(`two snapshots of Node ${line}`, async (t) => {
    if (lacksNode(t, line))
      return;
    const program = join(here, "../e2e/programs/heap-leaks.cjs");
    execFileSync(nodeOf(line), [program, "emitter", folder, "2"], { stdio: "pipe" });
    const files = [1, 2].map((i) => join(folder, `${i}.heapsnapshot`));
    const snapshots = [];
    for (const file of files)
      snapshots.push(await loadSnapshot(devtools, file));
    await t.test("all nodes", () => checkNodes(files[1], snapshots[1]));
    await t.test("all classes", () => checkClasses(files[1], snapshots[1]));
    await t.test("what changed", () => checkDiff(files, snapshots));
  });
}

/* The standard output of a program, up to its first line. */
function firstLine(child) {
  return new Promise((done) => child.stdout.once("data", done));
}

const classNames = (snapshot) =>
  Object.values(snapshot.aggregatesWithFilter({})).map((c) => c.name);

/*
 * What the agent leaves of a process is a snapshot for DevTools too: with the same classes, but for
 * plain objects that are called by their keys, and with no text in it.
 */
for (const line of [18, 24]) {
  test(`a redacted snapshot of Node ${line}`, async (t) => {
    if (lacksNode(t, line))
      return;
    const agent = join(dirname(NODIAG), "../agent/libnodiag-agent.so");
    if (readFileSync(agent).includes("__asan_init"))
      return t.skip("Node.js does not load a sanitized agent");
    const program = join(here, "../e2e/programs/heap-secrets.cjs");
    const child = spawn(nodeOf(line), [program], { env: { ...process.env, LD_PRELOAD: agent } });
    t.after(() => child.kill("SIGKILL"));
    await firstLine(child);
    const snapshots = {};
    for (const [name, ...options] of [["plain"], ["redacted", "--redact"]]) {
      const file = join(folder, `${name}-${line}.heapsnapshot`);
      execFileSync(NODIAG, ["heap", "snapshot", ...options, "-o", file, `${child.pid}`],
        { stdio: "pipe" });
      snapshots[name] = await loadSnapshot(devtools, file);
      if (name === "redacted")
        checkNodes(file, snapshots[name]);
    }
    const { plain, redacted } = snapshots;
    const hasSecret = (text) => text.includes("secret") && !text.endsWith("heap-secrets.cjs");
    assert.ok(plain.strings.filter(hasSecret).length > 500);
    assert.deepEqual(redacted.strings.filter(hasSecret), []);
    const names = classNames(redacted);
    const lost = classNames(plain).filter((name) => !names.includes(name));
    assert.deepEqual(lost.filter((name) => !name.startsWith("{")), []);
    const count = (snapshot) => Object.values(snapshot.aggregatesWithFilter({}))
      .find((c) => c.name === "Account").count;
    assert.deepEqual([count(redacted), count(plain)], [500, 500]);
  });
}
