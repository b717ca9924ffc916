// SPDX-License-Identifier: Apache-2.0

// What a request waits for besides other services, where that is asked for: names, connections,
// files, processes and workers are spans below it, with their ends and their failures.

import assert from 'node:assert/strict';
import http from 'node:http';
import test from 'node:test';

import { makeCertificate, needOpenssl } from './certificate.mjs';
import { agent, needNode, runNodiag, start, untilTraced } from './harness.mjs';

needNode();
needOpenssl();

const expected = {
  dns: [{ name: 'dns.lookup', host: 'localhost' }],
  net: [{ name: 'tcp.connect', peer: '127.0.0.1' }],
  refused: [{ name: 'tcp.connect', peer: '127.0.0.1', port: 1, error: 'ECONNREFUSED' }],
  tls: [{ name: 'tcp.connect' }, { name: 'tls.handshake', host: 'a.example', peer: '127.0.0.1' }],
  fs: [{ name: 'fs.stat' }],
  missing: [{ name: 'fs.open', error: 'ENOENT' }],
  child_process: [{ name: 'child_process.spawn', path: '/bin/sh', error: '3' }],
  worker: [{ name: 'worker_threads.Worker', error: null }],
};

function get(port, path) {
  return new Promise((done, fail) => {
    http.get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      response.resume();
      response.once('end', done);
    }).once('error', fail);
  });
}

/** The requests that nodiag saw, with these options, by their paths. */
async function trace(options) {
  const as = ['env', `LD_PRELOAD=${agent}`];
  const program = await start('trace/waits.cjs', { warmUp: 300, as, args: makeCertificate() });
  try {
    const port = await program.ask('port');
    const run = await runNodiag(['trace', '--json', ...options, '-d', '1m', `${program.pid}`], {
      async onStart(child) {
        await untilTraced(program.pid);
        for (const way of Object.keys(expected)) await get(port, `/${way}`);
        setTimeout(() => child.kill('SIGINT'), 300);
      },
    });
    assert.equal(run.status, 0, run.stderr);
    const { requests } = JSON.parse(run.stdout);
    return Object.fromEntries(requests.map((request) => [request.path.slice(1), request]));
  } finally {
    await program.stop();
  }
}

function check(way, request) {
  // Another thread of Node's may load something meanwhile.
  const names = expected[way].map(({ name }) => name);
  const spans = request.spans.filter(({ name }) => names.includes(name));
  assert.equal(spans.length, names.length, JSON.stringify(request.spans));
  for (const [i, span] of spans.entries()) {
    assert.equal(span.kind, 'internal');
    assert.equal(span.method, null);
    assert.equal(span.parent_id, request.span_id);
    assert.ok(span.start_ns >= request.start_ns && span.end_ns <= request.end_ns, way);
    assert.equal(span.failed, span.error !== null);
    for (const [key, value] of Object.entries(expected[way][i]))
      assert.equal(span[key], value, `${way}: ${key}`);
  }
}

test('all that was asked for', async () => {
  const requests = await trace(['--spans', 'all']);
  for (const way of Object.keys(expected)) check(way, requests[way]);
});

test('only some of it', async () => {
  const requests = await trace(['--spans', 'dns,fs']);
  for (const way of ['dns', 'fs', 'missing']) check(way, requests[way]);
  for (const way of ['refused', 'child_process']) assert.deepEqual(requests[way].spans, [], way);
});

test('nothing of it without', async () => {
  const requests = await trace([]);
  for (const way of Object.keys(expected)) assert.deepEqual(requests[way].spans, [], way);
});
