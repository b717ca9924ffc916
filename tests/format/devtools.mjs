/* SPDX-License-Identifier: Apache-2.0 */

/*
 * nodiag's .cpuprofile files, read with the model that Chrome DevTools loads them into (its code as
 * Lighthouse uses it).
 */

import assert from "node:assert/strict";
import { test } from "node:test";

import { EVIL_FILE, EVIL_NAME, Functions, IDLE_NS, KNOWN, PERIOD_NS, SAMPLES, convert, need }
  from "./lib.mjs";

const { CPUProfileDataModel: { CPUProfileDataModel } } =
  await need("@paulirish/trace_engine/models/cpu_profile/cpu_profile.js");

const MS = PERIOD_NS / 1e6;

function load(input) {
  const file = JSON.parse(convert(input, "cpuprofile"));
  return { file, model: new CPUProfileDataModel(structuredClone(file)) };
}

function namesOf(node) {
  const names = [];
  for (; node.parent; node = node.parent)
    names.push(node.functionName);
  return names;
}

/* Times as DevTools draws them: a frame is open from one sample to another. */
function drawn(model) {
  const functions = new Functions();
  const round = (ms) => Math.round(ms * 1000) / 1000;
  model.forEachFrame(() => {}, (depth, node, sample, start, duration, self) => {
    if (round(self))
      functions.add(namesOf(node), round(self));
  });
  for (const values of functions.map.values()) {
    values.self = round(values.self);
    values.total = round(values.total);
  }
  return functions;
}

const nameInFile = (name) => name === "(anonymous)" ? "" : name;

test("the flame chart has every function with its time", () => {
  const { model } = load("known");
  const functions = drawn(model);
  functions.check(MS, nameInFile);
  assert.equal(functions.map.get("(program)").self, MS);
  assert.equal(functions.map.get("(idle)"), undefined);
});

test("the tables, which go by hits, agree with it", () => {
  const { model } = load("known");
  const functions = new Functions();
  for (const node of model.nodes())
    if (node.parent && node.self)
      functions.add(namesOf(node), Math.round(node.self * 1000) / 1000);
  assert.equal(Math.round(functions.total), SAMPLES * MS);
  functions.check(MS, nameInFile);
});

test("one thread is drawn at its own times, with idle between", () => {
  const { file, model } = load("known-main");
  const idle = drawn(model).map.get("(idle)");
  assert.equal(idle.self, IDLE_NS / 1e6);
  assert.ok(Math.abs(model.idleNode.self - IDLE_NS / 1e6) < MS);
  assert.equal(file.startTime, 1_000_000_000);
  assert.equal(file.endTime - file.startTime, 91 * PERIOD_NS / 1e3 + IDLE_NS / 1e3);
  /* The 51st sample comes after the gap. */
  const at = model.timestamps[file.samples.indexOf(model.idleNode.id) + 1];
  assert.equal(at, 1e6 + 50 * MS + IDLE_NS / 1e6);
});

test("places count from 0, scripts have ids, the rest a scheme", () => {
  const { model } = load("known");
  const nodes = [...model.nodes()];
  const kinds = { "do_syscall_64": "kernel:", "ArrayPrototypeSort": "",
    "uv__io_poll": "native:/usr/bin/node", "v8::internal::Heap::Scavenge": "gc:/usr/bin/node" };
  for (const { name, file, line, column } of KNOWN) {
    const { callFrame } = nodes.find((node) => node.functionName === nameInFile(name));
    assert.equal(callFrame.url, kinds[name] ?? file);
    assert.equal(callFrame.lineNumber, line ? line - 1 : -1);
    assert.equal(callFrame.columnNumber, column ? column - 1 : -1);
    assert.equal(callFrame.scriptId !== "0", Boolean(line));
  }
  const scripts = nodes.filter((node) => node.callFrame.url === "/app/hot.js");
  assert.equal(new Set(scripts.map((node) => node.callFrame.scriptId)).size, 1);
  assert.equal(nodes.find((node) => node.functionName === EVIL_NAME).callFrame.url, EVIL_FILE);
});

test("lines of the source panel", () => {
  const { model } = load("known");
  const hot = [...model.nodes()].find((node) =>
    node.functionName === "hot" && node.parent.functionName === "handler");
  assert.deepEqual(new Map(hot.positionTicks.map(({ line, ticks }) => [line, ticks])),
    new Map([[6, 15], [8, 5]]));
});
