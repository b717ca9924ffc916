// SPDX-License-Identifier: Apache-2.0

// A service that nodiag traces and one that OpenTelemetry's SDK traces call each other: their spans
// are of one trace, and parents are found on the other side, both ways.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test, { after } from 'node:test';
import { fileURLToPath } from 'node:url';

import { agent, makeFolder, needNode, skip, start, until, untilTraced } from './harness.mjs';
import { decode, receive } from './receiver.mjs';

const here = dirname(fileURLToPath(import.meta.url));

needNode();
if (spawnSync('protoc', ['--version']).error) skip('there is no protoc');
if (!existsSync(join(here, '../collector/node_modules/@opentelemetry/sdk-trace-node')))
  skip('there is no OpenTelemetry SDK: run scripts/deps test');

/** Bytes as protoc prints them, as hexadecimal digits. */
function hexOf(text) {
  const named = { n: 10, r: 13, t: 9, '"': 34, "'": 39, '\\': 92 };
  const bytes = [...text.matchAll(/\\(\d{3})|\\(.)|([^\\])/g)].map(([, octal, name, char]) =>
    octal ? parseInt(octal, 8) : name ? named[name] : char.charCodeAt(0),
  );
  return Buffer.from(bytes).toString('hex');
}

/** The spans in requests of OTLP, as the other side tells of its own. */
function spansOf(requests) {
  const string = '"((?:[^"\\\\]|\\\\.)*)"\\s+';
  const pattern = new RegExp(
    `trace_id: ${string}span_id: ${string}(?:parent_span_id: ${string})?` +
      `name: "([^"]*)"\\s+kind: SPAN_KIND_(\\w+)`,
    'g',
  );
  const text = requests.filter(({ path }) => path === '/v1/traces').map(decode).join('');
  return [...text.matchAll(pattern)].map(([, trace, id, parent, name, kind]) => ({
    trace: hexOf(trace),
    id: hexOf(id),
    parent: hexOf(parent ?? ''),
    name,
    kind,
  }));
}

const receiver = await receive();
after(() => receiver.close());
const other = await start('trace/otel.cjs');
const otherUrl = `http://127.0.0.1:${await other.ask('port')}`;
const env = {
  LD_PRELOAD: agent,
  NODIAG_SOCKET: makeFolder(),
  OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
};
const ours = await start('trace/express.cjs', {
  as: ['env', ...Object.entries(env).map(([name, value]) => `${name}=${value}`)],
  args: [otherUrl],
});
const oursUrl = `http://127.0.0.1:${await ours.ask('port')}`;
await other.ask('to', oursUrl);
await untilTraced(ours.pid);
after(() => Promise.all([ours.stop(), other.stop()]));

/** Ask for that, and return what both sides know of it once each has that many spans more. */
async function trace(url, oursMore, theirsMore) {
  const from = { ours: spansOf(receiver.requests).length, theirs: (await other.ask('spans')).length };
  const response = await fetch(url);
  assert.equal(response.status, 200);
  await response.text();
  let seen = 0;
  await until(() => {
    // Only what is new is worth being read.
    if (receiver.requests.length === seen) return false;
    seen = receiver.requests.length;
    return spansOf(receiver.requests).length >= from.ours + oursMore;
  }, 'spans of nodiag are missing', 1500);
  const theirs = (await other.ask('spans')).slice(from.theirs);
  assert.equal(theirs.length, theirsMore);
  return { ours: spansOf(receiver.requests).slice(from.ours), theirs };
}

test('nodiag calls OpenTelemetry', async () => {
  const { ours: spans, theirs } = await trace(`${oursUrl}/out/1`, 4, 3);
  const server = spans.find(({ kind }) => kind === 'SERVER');
  const clients = spans.filter(({ kind }) => kind === 'CLIENT');
  assert.equal(server.name, 'GET /out/:id');
  assert.equal(server.parent, '');
  assert.equal(clients.length, 3);
  for (const span of [...clients, ...theirs]) assert.equal(span.trace, server.trace);
  for (const client of clients) assert.equal(client.parent, server.id);
  assert.ok(theirs.every(({ kind }) => kind === 'SERVER'));
  assert.deepEqual(
    theirs.map(({ parent }) => parent).sort(),
    clients.map(({ id }) => id).sort(),
  );
});

test('OpenTelemetry calls nodiag', async () => {
  const { ours: spans, theirs } = await trace(`${otherUrl}/call/users/1`, 1, 2);
  const [server] = spans;
  const client = theirs.find(({ kind }) => kind === 'CLIENT');
  assert.equal(spans.length, 1);
  assert.equal(server.name, 'GET /users/:id');
  assert.equal(server.kind, 'SERVER');
  assert.equal(server.trace, client.trace);
  assert.equal(server.parent, client.id);
});

test('and back again: one trace through both', async () => {
  const { ours: spans, theirs } = await trace(`${otherUrl}/call/out/2`, 4, 5);
  const traces = new Set([...spans, ...theirs].map((span) => span.trace));
  assert.equal(traces.size, 1);
  const parents = new Map([...spans, ...theirs].map(({ id, parent }) => [id, parent]));
  // From each there is a way up to the first, which nobody called.
  for (const { id } of spans) {
    let at = id;
    for (let i = 0; i < 8 && parents.get(at); i++) at = parents.get(at);
    assert.equal(parents.get(at), '');
  }
});
