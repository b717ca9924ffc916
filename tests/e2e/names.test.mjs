// SPDX-License-Identifier: Apache-2.0

// Functions have the names that V8 itself would show, and their lines and columns.

import assert from 'node:assert/strict';
import test from 'node:test';

import { lineOf, needSampling, recordProgram } from './harness.mjs';

const FILE = 'names.cjs';

// Name, and the text of the line that defines it.
const expected = [
  ['method', 'method(count) { return work(count, 3)'],
  ['build', 'static build('],
  ['#secret', '#secret(count) {'],
  ['get price', 'get price('],
  ['set price', 'set price('],
  ['callSecret', 'callSecret(count) {'],
  // Names that are computed at run time are not V8's.
  ['(anonymous)', "['computed' +"],
  ['(anonymous)', '[Symbol.iterator]() {'],
  ['(anonymous)', 'forever('],
  ['Shop', 'constructor(count)'],
  ['handlers.onOrder', 'handlers.onOrder ='],
  ['shorthandMethod', 'handlers.shorthand ='],
  ['größe漢字', 'const größe漢字'],
  ['名前のある関数', 'function 名前のある関数'],
  ['beforeBind', 'function beforeBind'],
];

needSampling();
const profile = await recordProgram(FILE, { seconds: 3 });
const functions = profile.functionsOf(FILE);

for (const [name, text] of expected) {
  test(`${name}: ${text}`, () => {
    const line = lineOf(FILE, text);
    const found = functions.filter(({ frame }) => frame.line === line);
    assert.deepEqual(found.map(({ frame }) => frame.name), [name]);
    assert.ok(found[0].share > 0.01, profile.table());
  });
}

test('functions of one line are told apart by their columns', () => {
  const line = lineOf(FILE, 'const nameless');
  const found = functions.filter(({ frame }) => frame.line === line);
  assert.equal(found.length, 2);
  assert.notEqual(found[0].frame.column, found[1].frame.column);
});

test('columns count characters', () => {
  const { frame } = functions.find((found) => found.frame.name === 'beforeBind');
  const definition = 'const bound = function beforeBind(';
  assert.ok(frame.column > 'const bound = '.length, `column ${frame.column}`);
  assert.ok(frame.column <= definition.length, `column ${frame.column}`);
});

test('a very long name does no harm', () => {
  const long = profile.frames.find((frame) => frame.name.startsWith('veryLongNameveryLongName'));
  assert.ok(long, profile.table());
  assert.ok('veryLongName'.repeat(40).startsWith(long.name.replace(/…$|\.\.\.$/, '')), long.name);
});
