// SPDX-License-Identifier: Apache-2.0

// The stack of a thread that is busy tells which request that is for, read from outside of it, and
// while its loop is blocked.

import assert from 'node:assert/strict';
import http from 'node:http';
import test from 'node:test';

import { agent, needNode, runNodiag, start, untilTraced } from './harness.mjs';

needNode();

const program = await start('spin.cjs', {
  warmUp: 0,
  as: ['env', `LD_PRELOAD=${agent}`, 'NODIAG_TRACE=1'],
});
const port = await program.ask('port');
await untilTraced(program.pid);

async function look(...args) {
  const run = await runNodiag(['stack', ...args, program.pid]);
  assert.equal(run.status, 0, run.stderr);
  return String(run.stdout);
}

async function findMain() {
  const [{ threads }] = JSON.parse(await look('--json')).processes;
  return threads.find(({ role }) => role === 'main');
}

/** Ask for a path, and look at the process until its main thread is in that function. */
async function lookWhile(path, name) {
  const request = http.get({ port, path, host: '127.0.0.1', agent: false });
  request.on('error', () => {});
  for (;;) {
    const main = await findMain();
    if (main.stack.some((call) => call.name === name)) return main;
  }
}

const ID = /^(?!0+$)[0-9a-f]+$/;

function check(main, path) {
  assert.equal(main.request.method, 'GET');
  assert.equal(main.request_path, path);
  assert.match(main.request.trace_id, ID);
  assert.match(main.request.span_id, ID);
  assert.equal(main.request.trace_id.length, 32);
  assert.ok(main.request_ns > 0 && main.request_ns < 60e9, String(main.request_ns));
}

test('a thread that waits for nothing in particular is in no request', async () => {
  const main = await findMain();
  assert.equal(main.request, null);
  assert.equal(main.request_ns, null);
});

test('what goes on after the answer is for the request too', async () => {
  check(await lookWhile('/after?token=secret', 'inAfter'), '/after');
  assert.match(await look(), /for GET \/after, begun .* ago, answered with 200, trace/);
});

test('an endless request, in words, without its query', async () => {
  await program.ask('idle');
  check(await lookWhile('/forever?token=secret', 'spin'), '/forever');
  const text = await look();
  assert.match(
    text,
    /^main thread \d+: running.*\n {4}for GET \/forever, begun .* ago, trace [0-9a-f]{32}\n/m,
  );
  assert.doesNotMatch(text, /secret/);
});

test.after(() => program.stop());
