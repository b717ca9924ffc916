/* SPDX-License-Identifier: Apache-2.0 */

/* nodiag's pprof files, read with pprof-format, which Datadog's profiler writes its own with. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";

import { EVIL_FILE, EVIL_NAME, Functions, KNOWN, PERIOD_NS, SAMPLES, convert, need }
  from "./lib.mjs";

const { Profile } = await need("pprof-format");

/* The profile with indexes and ids resolved. */
function read(input) {
  const packed = convert(input, "pprof");
  const profile = Profile.decode(gunzipSync(packed));
  const text = (index) => profile.stringTable.strings[Number(index)];
  const byId = (list) => new Map(list.map((item) => [Number(item.id), item]));
  const functions = byId(profile.function);
  const locations = byId(profile.location);
  const mappings = byId(profile.mapping);
  const samples = profile.sample.map((sample) => ({
    count: Number(sample.value[0]),
    weight: Number(sample.value[1]),
    labels: Object.fromEntries(sample.label.map((label) => [text(label.key), Number(label.num)])),
    locations: sample.locationId.map((id) => locations.get(Number(id))),
  }));
  for (const sample of samples)
    sample.lines = sample.locations.flatMap((location) => location.line.map((line) => ({
      ...line,
      name: text(functions.get(Number(line.functionId)).name),
      file: text(functions.get(Number(line.functionId)).filename),
      systemName: text(functions.get(Number(line.functionId)).systemName),
      startLine: Number(functions.get(Number(line.functionId)).startLine),
      mapping: text(mappings.get(Number(location.mappingId)).filename),
    })));
  return { profile, text, samples, mappings };
}

/* Functions without a name are told apart by their position. */
const nameInPprof = (name) => name === "(anonymous)" ? "(anonymous:L#1:C#1)" : name;

for (const input of ["known", "known-tree"])
  test(`${input}: functions and totals`, () => {
    const { samples } = read(input);
    const functions = new Functions();
    for (const sample of samples)
      functions.add(sample.lines.map((line) => line.name), sample.weight);
    assert.equal(functions.total, SAMPLES * PERIOD_NS);
    assert.equal(samples.reduce((sum, sample) => sum + sample.count, 0), SAMPLES);
    functions.check(PERIOD_NS, nameInPprof);
    assert.equal(functions.map.get("[unknown]").self, PERIOD_NS);
  });

test("the words about the profile", () => {
  const { profile, text } = read("known");
  assert.deepEqual(profile.sampleType.map((type) => [text(type.type), text(type.unit)]),
    [["samples", "count"], ["cpu", "nanoseconds"]]);
  assert.equal(text(profile.defaultSampleType), "cpu");
  assert.deepEqual([text(profile.periodType.type), text(profile.periodType.unit)],
    ["cpu", "nanoseconds"]);
  assert.equal(Number(profile.period), PERIOD_NS);
  assert.equal(BigInt(profile.timeNanos), 1763600000123456789n);
  assert.equal(Number(profile.durationNanos), 1_500_000_000);
  const comments = profile.comment.map(text);
  assert.ok(comments.includes("node server.mjs"));
  assert.ok(comments.includes("lost: 12 samples dropped because the ring was full"));
});

test("places and lines", () => {
  const { samples } = read("known");
  const lines = samples.flatMap((sample) => sample.lines);
  for (const { name, file, line } of KNOWN) {
    const found = lines.find((other) => other.name === nameInPprof(name));
    assert.deepEqual([found.file, found.startLine], [file, line ?? 0]);
    /* Or pprof takes the name for mangled. */
    assert.equal(found.systemName, "");
  }
  const evil = samples.find((sample) => sample.lines[0].name === EVIL_NAME);
  assert.equal(evil.lines[0].file, EVIL_FILE);
  const onLine = (line) => samples
    .filter((sample) => sample.lines[0].name === "hot" && Number(sample.lines[0].line) === line)
    .reduce((sum, sample) => sum + sample.count, 0);
  assert.equal(onLine(6), 24);
  assert.equal(onLine(8), 5);
});

test("inlined calls share a location, the innermost first", () => {
  const { samples, text, profile } = read("known");
  const tiny = samples.find((sample) => sample.lines[0].name === "tiny");
  const names = tiny.locations[0].line.map((line) =>
    text(profile.function.find((other) => other.id === line.functionId).name));
  assert.deepEqual(names, ["tiny", "hot"]);
  assert.equal(tiny.locations.length, 4);
  for (const sample of samples)
    if (sample !== tiny)
      assert.ok(sample.locations.every((location) => location.line.length === 1));
});

test("mappings name the module or the kind, and need no symbols", () => {
  const { samples, mappings } = read("known");
  const mappingOf = (name) =>
    samples.flatMap((sample) => sample.lines).find((line) => line.name === name).mapping;
  assert.equal(mappingOf("hot"), "[js]");
  assert.equal(mappingOf("parse"), "[npm]");
  assert.equal(mappingOf("processTicksAndRejections"), "[node]");
  assert.equal(mappingOf("uv__io_poll"), "/usr/bin/node");
  assert.equal(mappingOf("v8::internal::Heap::Scavenge"), "[gc]");
  assert.equal(mappingOf("do_syscall_64"), "[kernel]");
  for (const mapping of mappings.values())
    assert.ok(mapping.hasFunctions && mapping.hasFilenames && mapping.hasLineNumbers &&
      mapping.hasInlineFrames);
});

test("samples carry their process and thread", () => {
  const { samples } = read("known");
  const byThread = {};
  for (const { labels, count } of samples) {
    assert.equal(labels.pid, 4242);
    byThread[labels.tid] = (byThread[labels.tid] ?? 0) + count;
  }
  assert.deepEqual(byThread, { 4242: 91, 4243: 9 });
  assert.ok(read("known-tree").samples.every(({ labels }) =>
    labels.pid === 4242 && labels.tid === undefined));
});
