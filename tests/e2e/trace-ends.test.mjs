// SPDX-License-Identifier: Apache-2.0

// Requests that a program has answered are known, in whatever way it ends right afterwards.

import assert from 'node:assert/strict';
import http from 'node:http';
import { describe, it } from 'node:test';

import { agent, makeFolder, needNode, runNodiag, start, untilTraced } from './harness.mjs';

needNode();

const REQUESTS = 50;

function get(port, id) {
  return new Promise((done, fail) => {
    http.get({ host: '127.0.0.1', port, path: `/users/${id}`, agent: false }, (response) => {
      response.resume();
      response.once('end', done);
    }).once('error', fail);
  });
}

describe('what was answered before', () => {
  for (const signal of ['SIGTERM', 'SIGKILL', 'SIGSEGV', 'SIGABRT']) {
    it(signal, async () => {
      const folder = makeFolder();
      const as = ['env', `LD_PRELOAD=${agent}`];
      const program = await start('trace/plain.cjs', { warmUp: 300, as, args: ['http://-'] });
      try {
        const port = await program.ask('port');
        const args = ['record', '--trace', '-o', 'r.nd', '-d', '1m', `${program.pid}`];
        const record = await runNodiag(args, {
          folder,
          async onStart() {
            await untilTraced(program.pid);
            // The last may be answered before the program knows that it is.
            for (let id = 0; id <= REQUESTS; id++) await get(port, id);
            program.child.kill(signal);
          },
        });
        assert.equal(record.status, 0, record.stderr);
      } finally {
        await program.stop();
      }
      const run = await runNodiag(['trace', '--json', 'r.nd'], { folder });
      assert.equal(run.status, 0, run.stderr);
      const { requests } = JSON.parse(run.stdout);
      const all = requests.filter(({ path }) => path !== `/users/${REQUESTS}`);
      assert.equal(requests.length, REQUESTS + 1);
      const seen = all.map(({ path, status }) => `${path} ${status}`).sort();
      const made = Array.from({ length: REQUESTS }, (_, id) => `/users/${id} 200`).sort();
      assert.deepEqual(seen, made);
    });
  }
});
