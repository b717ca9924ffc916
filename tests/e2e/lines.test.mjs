// SPDX-License-Identifier: Apache-2.0

// Executing lines are those of the loops, and functions are on the lines that define them.

import assert from 'node:assert/strict';
import test from 'node:test';

import { lineOf, needSampling, percent, recordProgram } from './harness.mjs';

const FILE = 'lines.cjs';

needSampling();
const profile = await recordProgram(FILE, { seconds: 3 });

for (const name of ['hotLines', 'slowOne', 'slowTwo']) {
  test(`${name}() is where it is defined`, () => {
    const { frame } = profile.functionsOf(FILE).find((found) => found.frame.name === name);
    assert.equal(frame.line, lineOf(FILE, `function ${name}(`));
    assert.equal(frame.column, `function ${name}`.length + 1);
  });
}

for (const [name, header] of [
  ['slowOne', 'i < 2000'],
  ['slowTwo', 'i < 1000'],
]) {
  test(`${name}() runs in its loop`, () => {
    const loop = lineOf(FILE, header);
    const lines = profile.linesOf(profile.own(FILE, name));
    const inLoop = (lines.get(loop) ?? 0) + (lines.get(loop + 1) ?? 0);
    assert.ok(inLoop > 0.9, `${percent(inLoop)} of ${JSON.stringify([...lines])}`);
  });
}
