// SPDX-License-Identifier: Apache-2.0

// An ES module: import, async functions and generators, and a hot top level after an await.

import { setImmediate as turn } from 'node:timers/promises';
import control from './lib/control.cjs';
import truths from './lib/truth.cjs';

const truth = new truths.Truth();

export function hotExport(count) {
  let sum = 0;
  for (let i = 0; i < count; i++) sum = (sum + i * 5) | 0;
  return sum;
}

async function outer(count) {
  const sum = await middle(count);
  return truth.time('hotExport', () => hotExport(count)) + sum;
}

async function middle(count) {
  await null;
  return truth.time('hotAfterAwait', () => hotAfterAwait(count));
}

function hotAfterAwait(count) {
  let sum = 0;
  for (let i = 0; i < count; i++) sum = (sum ^ (i * 9)) | 0;
  return sum;
}

async function* batches(count) {
  for (;;) {
    yield truth.time('hotInGenerator', () => hotInGenerator(count));
    await null;
  }
}

function hotInGenerator(count) {
  let sum = 1;
  for (let i = 0; i < count; i++) sum = (sum * 3 + i) | 0;
  return sum;
}

control.serve({ report: (from, to) => truth.report(Number(from), Number(to)) });
for await (const sum of batches(1e6)) {
  await outer(1e6 + (sum & 1));
  truth.endRound();
  await turn();
}
