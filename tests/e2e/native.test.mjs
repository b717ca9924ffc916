// SPDX-License-Identifier: Apache-2.0

// Time in native code is charged to the JavaScript that called it, and to native functions.

import assert from 'node:assert/strict';
import test from 'node:test';

import { assertTrue, needSampling, recordProgram, recordWithTruth } from './harness.mjs';

const FILE = 'native.cjs';

needSampling();
const recorded = await recordWithTruth(FILE, { seconds: 4 });
const { profile } = recorded;

for (const name of ['deriveKey', 'compress', 'serialise']) {
  test(`${name}() has its share, of which most is native`, () => {
    const own = profile.own(FILE, name);
    assertTrue(recorded, name, own);
    const below = profile.only(({ calls }) => calls.some(own));
    assert.ok(below.selfShare(isNative) > 0.5, below.table());
  });
}

for (const name of [/pbkdf2/i, /deflate/i, /Json(Parser|Stringif)/i]) {
  test(`native functions have names: ${name}`, () => {
    assert.ok(profile.share((frame) => name.test(frame.name)) > 0.05, profile.table());
  });
}

test("the thread pool's work is seen", async () => {
  const pool = await recordProgram('pool.cjs');
  assert.ok(pool.share((frame) => /pbkdf2/i.test(frame.name)) > 0.9, pool.table());
  assert.ok(pool.share((frame) => /^worker$|uv__?work/.test(frame.name)) > 0.9, pool.table());
});

function isNative(frame) {
  return ['native', 'builtin', 'gc', 'kernel'].includes(frame.kind);
}
