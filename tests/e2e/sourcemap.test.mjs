// SPDX-License-Identifier: Apache-2.0

// With --source-maps, TypeScript's users see their own lines; without, V8's.

import assert from 'node:assert/strict';
import test from 'node:test';

import { lineOf, needSampling, programPath, record, start } from './harness.mjs';

const SOURCE = 'sourcemap/src/hot.ts';
const DEFINITION = 'function hotInTypeScript(';

needSampling();

for (const file of ['sourcemap/dist/hot.js', 'sourcemap/dist/hot-inline.js']) {
  test(file, async () => {
    const program = await start(file);
    const plain = await record(program);
    const mapped = await record(program, { flags: ['--source-maps'] });
    await program.stop();

    const compiled = plain.functionsOf(file).find(isHot);
    assert.equal(compiled.frame.line, lineOf(file, DEFINITION));
    assert.equal(plain.functionsOf(SOURCE).length, 0);

    const { frame, share } = mapped.functionsOf(SOURCE).find(isHot);
    assert.equal(frame.file.replace(/^file:\/\//, ''), programPath(SOURCE));
    assert.equal(frame.line, lineOf(SOURCE, DEFINITION));
    // The rest is the collector's.
    assert.ok(share > 0.8, mapped.table());
    assert.equal(mapped.functionsOf(file).length, 0, mapped.table());
  });
}

function isHot({ frame }) {
  return frame.name === 'hotInTypeScript';
}
