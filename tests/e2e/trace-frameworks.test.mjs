// SPDX-License-Identifier: Apache-2.0

// Requests of real frameworks, mixed, on 64 connections, as a collector sees them: each is one span
// with its own route, status and parent; what it asks others for is part of its trace, and of no
// other. ND_REQUESTS is how many (1,792 unless it says so).

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import http from 'node:http';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

import { agent, line, needNode, runNodiag, skip, start, until, untilTraced } from './harness.mjs';
import { collectSpans } from './otlp.mjs';

needNode();
const here = join(dirname(fileURLToPath(import.meta.url)), '../frameworks');
if (!existsSync(join(here, 'node_modules'))) skip('no frameworks: run npm ci in tests/frameworks');

const CONNECTIONS = 64;
const REQUESTS = Number(process.env.ND_REQUESTS ?? 1792);
const SERVER = 2;
const CLIENT = 3;

const frameworks = ['express4', 'express5', 'fastify4', 'koa', 'hapi'];
frameworks.push('nestExpress', 'nestFastify');
if (Number(line) >= 20) frameworks.push('fastify5');

const json = { 'content-type': 'application/json' };
const braced = (route) => route.replace(/:(\w+)/g, '{$1}');

const kinds = [
  { path: (id) => `/users/${id}?secret=1`, route: '/users/:id', status: 200 },
  { method: 'POST', path: (id) => `/orders/${id}`, route: '/orders/:id', status: 201, body: '{}' },
  { path: (id) => `/stream/${id}`, route: '/stream/:id', status: 200 },
  { path: (id) => `/out/${id}`, route: '/out/:id', status: 200, calls: 3 },
  { path: (id) => `/shops/${id}x/fail/${id}`, route: '/shops/:shop/fail/:id', status: 500 },
  { path: (id) => `/nothing/${id}`, status: 404 },
  { path: (id) => `/late/${id}`, route: '/late/:id', goes: true },
  { path: (id) => `/admin/users/${id}`, route: '/admin/users/:id', status: 200 },
];

const hex = (bytes) => randomBytes(bytes).toString('hex');

/** Make a request with a parent of its own; what came of it. */
function request(port, connection, kind, id) {
  const { method = 'GET', path, body, goes } = kind;
  const made = { kind, id, traceId: hex(16), parentId: hex(8) };
  const headers = { ...(body && json), traceparent: `00-${made.traceId}-${made.parentId}-01` };
  return new Promise((done, fail) => {
    const options = { host: '127.0.0.1', port, path: path(id), method, headers, agent: connection };
    const sent = http.request(options, async (response) => {
      const chunks = [];
      for await (const chunk of response) chunks.push(chunk);
      if (kind.calls) made.body = JSON.parse(Buffer.concat(chunks));
      done(Object.assign(made, { status: response.statusCode }));
    });
    sent.once('error', (error) => (goes ? done(made) : fail(error)));
    sent.end(body);
    // A server that has not got it yet never hears of it.
    if (goes) sent.once('information', () => sent.destroy());
  });
}

/** One connection to each framework in turn: Node's own agent would spread the requests. */
async function useConnections(ports, number, expected) {
  const connection = new http.Agent({ keepAlive: true, maxSockets: 1 });
  for (let id = number; id < REQUESTS; id += CONNECTIONS) {
    const round = Math.floor(id / CONNECTIONS);
    const framework = frameworks[(number + round) % frameworks.length];
    const kind = kinds[(number + Math.floor(round / frameworks.length)) % kinds.length];
    const made = await request(ports[framework], connection, kind, id);
    expected.push({ framework, ...made });
  }
  connection.destroy();
}

/** Answers with the headers that it got, and never closes what is idle: another may just ask. */
function startService() {
  const server = http.createServer({ keepAliveTimeout: 0 }, (asked, response) => {
    asked.resume();
    response.end(JSON.stringify(asked.headers));
  });
  return new Promise((done) => server.listen(0, '127.0.0.1', () => done(server)));
}

function checkCalls({ body, traceId, id }, server, spans) {
  const calls = spans.filter(({ kind }) => kind === CLIENT);
  assert.equal(calls.length, 3, `${calls.length} calls of ${id}`);
  const seen = Object.values(body).map(({ traceparent }) => traceparent.split('-'));
  assert.ok(seen.every(([, trace]) => trace === traceId), JSON.stringify(body));
  assert.deepEqual(calls.map(({ spanId }) => spanId).sort(), seen.map(([, , span]) => span).sort());
  for (const { parentId, attributes, start, end } of calls) {
    assert.equal(parentId, server.spanId);
    assert.equal(attributes['http.response.status_code'], 200);
    assert.ok(attributes['url.full'].endsWith(`/${id}`), attributes['url.full']);
    assert.ok(start >= server.start && end <= server.end);
  }
}

function checkRequest(made, spans) {
  const { framework, kind } = made;
  const { method = 'GET', path } = kind;
  const what = `${framework}: ${method} ${path(made.id)}`;
  const servers = spans.filter((span) => span.kind === SERVER);
  assert.equal(servers.length, 1, `${what}: ${servers.length} spans`);
  const [{ attributes, ...span }] = servers;
  const route = framework === 'hapi' && kind.route ? braced(kind.route) : kind.route;
  assert.equal(span.parentId, made.parentId, what);
  assert.equal(attributes['http.route'], route, what);
  assert.equal(span.name, route ? `${method} ${route}` : method, what);
  assert.equal(attributes['url.path'], path(made.id).split('?')[0], what);
  assert.equal(attributes['http.response.status_code'], kind.status, what);
  assert.equal(made.status, kind.status, what);
  const error = { 500: '500', undefined: 'aborted' }[kind.status];
  assert.equal(attributes['error.type'], error, what);
  assert.equal(spans.length, 1 + (kind.calls ?? 0), what);
  if (kind.calls) checkCalls(made, span, spans);
}

test(`${REQUESTS} requests of ${frameworks.length} frameworks`, async () => {
  const spansOf = new Map();
  let count = 0;
  const keep = (span) => {
    count++;
    if (!spansOf.has(span.traceId)) spansOf.set(span.traceId, []);
    spansOf.get(span.traceId).push(span);
  };
  const [service, collector] = await Promise.all([startService(), collectSpans(keep)]);
  const url = `http://127.0.0.1:${service.address().port}`;
  const program = await start('../../frameworks/server.cjs', {
    warmUp: 300, as: ['env', `LD_PRELOAD=${agent}`], args: [url, ...frameworks],
  });
  const expected = [];
  try {
    const ports = await program.ask('ports');
    const args = ['export', '--signal', 'traces', '--endpoint', collector.url, String(program.pid)];
    const run = await runNodiag(args, {
      limitMs: 60_000 + REQUESTS * 10,
      async onStart(child) {
        await untilTraced(program.pid);
        const numbers = Array.from({ length: CONNECTIONS }, (_, number) => number);
        await Promise.all(numbers.map((number) => useConnections(ports, number, expected)));
        const calls = expected.reduce((sum, { kind }) => sum + (kind.calls ?? 0), 0);
        // The last abort may not be noticed yet; how it is counted is looked at below.
        await until(() => count >= REQUESTS + calls, 'not all spans came', 1500).catch(() => {});
        child.kill('SIGINT');
      },
    });
    assert.equal(run.status, 0, run.stderr);
    assert.doesNotMatch(run.stderr, /dropped|could not be followed|not all/);
  } finally {
    await program.stop();
    service.close();
    collector.close();
  }
  assert.equal(expected.length, REQUESTS);
  for (const made of expected) checkRequest(made, spansOf.get(made.traceId) ?? []);
  assert.equal(spansOf.size, REQUESTS, 'spans of requests that nobody made');
  console.log(`${REQUESTS} requests, ${count} spans`);
});
