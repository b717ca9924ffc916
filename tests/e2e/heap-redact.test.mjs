// SPDX-License-Identifier: Apache-2.0

// Snapshots that leave out what strings say, snapshots of workers, and packed ones.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';

import { agent, makeFolder, needNode, runNodiag, start } from './harness.mjs';

const PROGRAM = 'heap-secrets.cjs';

needNode();

const program = await start(PROGRAM, { as: ['env', `LD_PRELOAD=${agent}`], warmUp: 300 });
test.after(() => program.stop());

async function take(...options) {
  const run = await runNodiag(['heap', 'snapshot', '--timeout', '60s', ...options,
    String(program.pid)]);
  assert.equal(run.status, 0, run.stderr);
  return join(run.folder, run.files[0]);
}

async function summarize(file) {
  const run = await runNodiag(['heap', 'summary', '--json', '--limit', '1000', file]);
  assert.equal(run.status, 0, run.stderr);
  return JSON.parse(run.stdout);
}

const classOf = (summary, name) => summary.classes.find((c) => c.class === name);

test('no secret is in it, and what is asked of it is', async () => {
  const plain = await take('-f', 'heapsnapshot');
  assert.ok(readFileSync(plain, 'utf8').includes('secret-password-3'));
  const file = await take('--redact', '-f', 'heapsnapshot');
  const text = readFileSync(file, 'utf8');
  const found = text.split('"').filter((name) => name.includes('secret'));
  assert.deepEqual(found.filter((name) => !name.endsWith(PROGRAM)), []);
  assert.ok(text.includes('"passwordOfAccount"'));
  // JSON it is, with as many strings as were referred to.
  const snapshot = JSON.parse(text);
  assert.ok(snapshot.strings.length > 1000);

  const summary = await summarize(file);
  assert.equal(classOf(summary, 'Account').count, 500);
  const place = classOf(await summarize(plain), 'Account');
  assert.equal(classOf(summary, 'Account').file, place.file);
  assert.equal(classOf(summary, 'Account').retained_bytes, place.retained_bytes);
  // Each of ten passwords is there fifty times.
  const copies = summary.duplicates.filter((row) => row.count === 50);
  assert.ok(copies.length >= 10, `${copies.length} texts are there 50 times`);
  for (const row of copies) assert.match(row.string, /^<redacted 17 #[0-9a-f]{16}>$/);
});

test('packed', async () => {
  const plain = await summarize(await take('-f', 'heapsnapshot'));
  const file = await take();
  assert.match(file, /\.nd$/);
  const summary = await summarize(file);
  // The program does nothing meanwhile, but V8 drops code that was not used for long.
  const countOf = ({ class: name, count }) => `${count} ${name}`;
  const isOwn = ({ file: place }) => place?.endsWith(PROGRAM);
  assert.deepEqual(summary.classes.filter(isOwn).map(countOf), plain.classes.filter(isOwn).map(countOf));
  assert.deepEqual(classOf(summary, 'Account'), classOf(plain, 'Account'));
  const copies = ({ duplicates }) => duplicates.filter((row) => row.string.startsWith('secret'));
  assert.ok(copies(plain).length >= 10);
  assert.deepEqual(copies(summary), copies(plain));
  // What it was packed from finds the same, to the byte.
  const back = join(makeFolder(), 'back.heapsnapshot');
  const run = await runNodiag(['heap', 'convert', '-o', back, file]);
  assert.equal(run.status, 0, run.stderr);
  assert.deepEqual({ ...(await summarize(back)), file: '' }, { ...summary, file: '' });
});

test('of a worker', async () => {
  const live = await runNodiag(['heap', 'summary', '--live', '--json', String(program.pid)]);
  const worker = JSON.parse(live.stdout).threads.find((thread) => thread.kind === 'worker');
  const summary = await summarize(await take('--worker', String(worker.tid)));
  assert.equal(classOf(summary, 'InWorker').count, 777);
  assert.equal(classOf(summary, 'Account'), undefined);

  const none = await runNodiag(['heap', 'snapshot', '--worker', '1', String(program.pid)]);
  assert.equal(none.status, 3);
  assert.match(none.stderr, /has no thread 1 that runs JavaScript\n.*nodiag lag/);
});
