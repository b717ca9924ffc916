// SPDX-License-Identifier: Apache-2.0

// A server under load: routes have the shares of their costs.

import assert from 'node:assert/strict';
import http from 'node:http';
import test from 'node:test';

import { needSampling, percent, record, start } from './harness.mjs';

const FILE = 'http.cjs';
const agent = new http.Agent({ keepAlive: true });

function get(port, path) {
  return new Promise((done, fail) => {
    const request = http.get({ host: '127.0.0.1', port, path, agent }, (response) => {
      response.resume();
      response.once('end', done);
    });
    request.once('error', fail);
  });
}

/** Ask for all three routes in turn, as often as they are answered. */
async function load(port, stopped) {
  while (!stopped.aborted) {
    for (const path of ['/report', '/order', '/page']) await get(port, path);
  }
}

needSampling();
const server = await start(FILE, { warmUp: 0 });
const port = await server.ask('port');
const stopped = new AbortController();
const loads = Promise.all([1, 2, 3, 4].map(() => load(port, stopped.signal)));
await new Promise((done) => setTimeout(done, 1500));
const profile = await record(server, { seconds: 3 });
stopped.abort();
await loads;
await server.stop();
agent.destroy();

const share = (name) => profile.share(profile.own(FILE, name));

test('routes have the shares of their costs', () => {
  const routes = { handleReport: 3 / 6, handleOrder: 2 / 6, handlePage: 1 / 6 };
  const all = Object.keys(routes).reduce((sum, name) => sum + share(name), 0);
  const samples = all * profile.samples;
  assert.ok(samples > 50, profile.table());
  for (const [name, expected] of Object.entries(routes)) {
    // Three points, and four standard deviations of a share of so few samples.
    const bound = 0.03 + 4 * Math.sqrt(expected * (1 - expected) / samples);
    const off = Math.abs(share(name) / all - expected);
    assert.ok(off < bound, `${name} is off by ${percent(off)}\n${profile.table()}`);
  }
});

test("Node's own functions are told from the program's", () => {
  const isNodes = (frame) => frame.kind === 'node' && frame.file.startsWith('node:');
  assert.ok(profile.share(isNodes) > 0.5, profile.table());
  assert.ok(profile.share((frame) => /llhttp|Parser/.test(frame.name)) > 0, profile.table());
  const own = profile.functionsOf(FILE).map(({ frame }) => frame.kind);
  assert.ok(own.every((kind) => kind === 'js'));
});
