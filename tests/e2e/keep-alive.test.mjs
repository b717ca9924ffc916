// SPDX-License-Identifier: Apache-2.0

// Node.js 24 and later keep what a request had in AsyncLocalStorage for as long as its connection is
// idle, by the timer that closes it. Requests that are followed do not: for each idle connection it
// would be copied by the next collections. (Who listens to that timer has it: context.test.mjs.)

import assert from 'node:assert/strict';
import http from 'node:http';
import test from 'node:test';

import { agent, needNode, start, untilTraced } from './harness.mjs';

needNode();

const CONNECTIONS = 8;

const program = await start('keep-alive.cjs', {
  as: ['env', `LD_PRELOAD=${agent}`, 'NODIAG_TRACE=1'],
});
await untilTraced(program.pid);
const port = await program.ask('port');
const client = new http.Agent({ keepAlive: true });

function get(path) {
  return new Promise((done, fail) => {
    http.get({ port, path, agent: client }, (response) => {
      response.resume().on('end', done);
    }).on('error', fail);
  });
}

const ask = (path) => Promise.all(Array.from({ length: CONNECTIONS }, () => get(path)));

/** Node.js itself holds what it was in last. */
const LAST = 1;

test('idle connections hold nothing of their last requests', async () => {
  for (const path of ['/first', '/again']) {
    await ask(path);
    const kept = await program.ask('kept');
    assert.ok(kept <= LAST, `${kept} are kept`);
  }
});

test('a connection need not be a socket', async () => {
  assert.equal(await program.ask('stream'), 2);
});

test('hooks of the program hear of each beginning and each end', async () => {
  client.destroy();
  const [seen, left] = await program.ask('resources');
  assert.ok(seen >= CONNECTIONS);
  assert.equal(left, 0);
});

test.after(() => program.stop());
