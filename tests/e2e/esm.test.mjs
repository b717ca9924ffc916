// SPDX-License-Identifier: Apache-2.0

// ES modules, async functions and generators.

import assert from 'node:assert/strict';
import test from 'node:test';
import { pathToFileURL } from 'node:url';

import { assertTrue, lineOf, needSampling, programPath, recordWithTruth } from './harness.mjs';

const FILE = 'esm.mjs';
const path = programPath(FILE);

needSampling();
const recorded = await recordWithTruth(FILE);
const { profile } = recorded;

for (const name of ['hotExport', 'hotAfterAwait', 'hotInGenerator']) {
  test(`${name}() has its share, and its place in the file`, () => {
    assertTrue(recorded, name, profile.own(FILE, name));
    const { frame } = profile.functionsOf(FILE).find((found) => found.frame.name === name);
    assert.ok([path, pathToFileURL(path).href].includes(frame.file), frame.file);
    assert.equal(frame.line, lineOf(FILE, `function ${name}(`));
    assert.equal(frame.kind, 'js');
  });
}

test('callers across an await are those that resumed', () => {
  const after = profile.own(FILE, 'hotAfterAwait');
  for (const { calls } of profile.stacks.filter((stack) => stack.calls.some(after))) {
    assert.ok(calls.some(profile.own(FILE, 'middle')));
  }
});
