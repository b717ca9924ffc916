// SPDX-License-Identifier: Apache-2.0

// Requests of real frameworks, mixed, on 64 connections: each is one span with its own route,
// status and parent, and what it asks others for is part of its own trace and of no other.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import http from 'node:http';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { agent, needNode, runNodiag, start, untilTraced } from './harness.mjs';

needNode();

const CONNECTIONS = 64;
const ROUNDS = 8; // in which each connection makes its requests, one of each kind

/** Answers with the headers that it got, and never closes what is idle: another may just ask. */
function startService() {
  const server = http.createServer({ keepAliveTimeout: 0 }, (request, response) => {
    request.resume();
    response.end(JSON.stringify(request.headers));
  });
  return new Promise((done) => server.listen(0, '127.0.0.1', () => done(server)));
}

/** Node's agent would spread them; each of these keeps to its one connection. */
function makeAgent() {
  return new http.Agent({ keepAlive: true, maxSockets: 1 });
}

const hex = (bytes) => randomBytes(bytes).toString('hex');

/** One request with a parent of its own: `{ traceId, parentId, status, body }`. */
function request(port, connection, { method = 'GET', path, body, goes }) {
  const traceId = hex(16);
  const parentId = hex(8);
  const headers = {
    traceparent: `00-${traceId}-${parentId}-01`,
    tracestate: `test=${traceId}`,
    baggage: `of=${traceId}`,
  };
  return new Promise((done, fail) => {
    const options = { host: '127.0.0.1', port, path, method, headers, agent: connection };
    const sent = http.request(options, async (response) => {
      const chunks = [];
      for await (const chunk of response) chunks.push(chunk);
      const text = Buffer.concat(chunks).toString();
      done({ traceId, parentId, status: response.statusCode, body: text });
    });
    sent.once('error', (error) => {
      if (goes) done({ traceId, parentId });
      else fail(error);
    });
    sent.end(body);
    // A server that has not got it yet never hears of it.
    if (goes) sent.once('information', () => sent.destroy());
  });
}

const kinds = [
  { method: 'GET', path: (id) => `/users/${id}?secret=1`, route: '/users/:id', status: 200 },
  { method: 'POST', path: (id) => `/orders/${id}`, route: '/orders/:id', status: 201, body: 'xyz' },
  { method: 'GET', path: (id) => `/stream/${id}`, route: '/stream/:id', status: 200 },
  { method: 'GET', path: (id) => `/out/${id}`, route: '/out/:id', status: 200, calls: 3 },
  { method: 'GET', path: (id) => `/fail/${id}`, route: '/fail/:id', status: 500 },
  { method: 'GET', path: (id) => `/nothing/${id}`, route: null, status: 404 },
  { method: 'GET', path: (id) => `/late/${id}`, route: '/late/:id', status: null, goes: true },
];

/** All requests of one connection, one after the other; what became of each. */
async function useConnection(port, number) {
  const connection = makeAgent();
  const made = [];
  for (let round = 0; round < ROUNDS; round++) {
    const kind = kinds[(number + round) % kinds.length];
    const id = number * 1000 + round;
    const what = { ...kind, path: kind.path(id) };
    made.push({ kind, id, ...(await request(port, connection, what)) });
  }
  connection.destroy();
  return made;
}

async function trace(name, url) {
  const as = ['env', `LD_PRELOAD=${agent}`];
  const program = await start(name, { warmUp: 300, as, args: [url] });
  try {
    const port = await program.ask('port');
    let made;
    const run = await runNodiag(['trace', '--json', '-d', '1m', String(program.pid)], {
      async onStart(child) {
        await untilTraced(program.pid);
        const numbers = Array.from({ length: CONNECTIONS }, (_, number) => number);
        made = (await Promise.all(numbers.map((number) => useConnection(port, number)))).flat();
        await sleep(1000);
        child.kill('SIGINT');
      },
    });
    assert.equal(run.status, 0, run.stderr);
    return { made, answer: JSON.parse(run.stdout), notes: run.stderr };
  } finally {
    await program.stop();
  }
}

/** What the program asked others for is in the trace of the request it did so for. */
function checkCalls(request, span) {
  const seen = JSON.parse(request.body);
  const ids = Object.values(seen).map(({ traceparent }) => traceparent.split('-'));
  assert.ok(ids.every(([, traceId]) => traceId === request.traceId), request.body);
  const state = `test=${request.traceId}`;
  assert.ok(Object.values(seen).every(({ tracestate }) => tracestate === state), request.body);
  const baggage = `of=${request.traceId}`;
  assert.ok(Object.values(seen).every((headers) => headers.baggage === baggage), request.body);
  const spanIds = span.spans.map(({ span_id: spanId }) => spanId).sort();
  assert.deepEqual(spanIds, ids.map(([, , spanId]) => spanId).sort());
  for (const call of span.spans) {
    assert.equal(call.kind, 'client');
    assert.equal(call.status, 200);
    assert.equal(call.host, '127.0.0.1');
    assert.equal(call.parent_id, span.span_id);
    assert.match(call.path, new RegExp(`^/(plain|listed|fetch)/${request.id}$`));
    assert.ok(call.start_ns >= span.start_ns && call.end_ns <= span.end_ns);
  }
}

function checkRequest(request, spans) {
  const { kind } = request;
  const what = `${kind.method} ${kind.path(request.id)}`;
  assert.equal(spans.length, 1, `${what}: ${spans.length} spans`);
  const [span] = spans;
  assert.equal(span.parent_id, request.parentId, what);
  assert.equal(span.method, kind.method);
  assert.equal(span.route, kind.route, what);
  assert.equal(span.path, kind.path(request.id).split('?')[0]);
  assert.equal(span.status, kind.status, what);
  assert.equal(span.aborted, kind.goes === true, what);
  assert.equal(span.failed, kind.status === 500 || kind.goes === true);
  assert.equal(span.peer, '127.0.0.1');
  assert.equal(span.host, '127.0.0.1');
  assert.equal(span.http_version, '1.1');
  assert.equal(span.spans.length, kind.calls ?? 0, what);
  if (kind.calls) checkCalls(request, span);
}

const service = await startService();
const url = `http://127.0.0.1:${service.address().port}`;

for (const framework of ['express', 'fastify']) {
  test(`${framework}: each request is one span, and all that is its own`, async () => {
    const { made, answer, notes } = await trace(`trace/${framework}.cjs`, url);
    const spansOf = (request) =>
      answer.requests.filter(({ trace_id: traceId }) => traceId === request.traceId);
    assert.equal(made.length, CONNECTIONS * ROUNDS);
    for (const request of made) checkRequest(request, spansOf(request));
    assert.equal(answer.requests.length, made.length);
    assert.equal(answer.left_out, 0);
    const counted = answer.routes.reduce((sum, { count }) => sum + count, 0);
    assert.equal(counted, made.length, JSON.stringify(answer.routes));
    assert.doesNotMatch(JSON.stringify(answer), /secret/);
    assert.doesNotMatch(notes, /dropped|could not be followed|not all/);
  });
}

test.after(() => service.close());
