// SPDX-License-Identifier: Apache-2.0

// Requests of HTTP/2, many at once on each connection, and of HTTPS: each is one span, what it asks
// others for is its own, and both the trace and the baggage go on with it.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http2 from 'node:http2';
import https from 'node:https';
import test from 'node:test';

import { makeCertificate, needOpenssl } from './certificate.mjs';
import { agent, needNode, runNodiag, start, untilTraced } from './harness.mjs';
import { collectSpans } from './otlp.mjs';

needNode();
needOpenssl();

const REQUESTS = 40; // at once, to each server
const hex = (bytes) => randomBytes(bytes).toString('hex');

/** Speaks HTTP/2, and answers with the headers that it got. */
function startService() {
  const server = http2.createServer((request, response) => {
    response.end(JSON.stringify(request.headers));
  });
  return new Promise((done) => server.listen(0, '127.0.0.1', () => done(server)));
}

/** What a request says of itself. */
function makeRequest(id) {
  const [traceId, parentId] = [hex(16), hex(8)];
  const path = id % 3 ? `/out/${id}?secret=1` : `/body/${id}`;
  const headers = { traceparent: `00-${traceId}-${parentId}-01`, baggage: `id=${id},a=b` };
  return { id, path, traceId, parentId, headers };
}

function ask(session, made) {
  const post = made.path.startsWith('/body');
  return new Promise((done, fail) => {
    const method = { ':path': made.path, ':method': post ? 'POST' : 'GET' };
    const stream = session.request({ ...method, ...made.headers });
    let text = '';
    stream.on('response', (headers) => {
      made.status = headers[':status'];
    });
    stream.on('data', (chunk) => {
      text += chunk;
    });
    stream.on('end', () => done({ ...made, seen: JSON.parse(text) }));
    stream.on('error', fail);
    if (!post) return;
    stream.write('first');
    setTimeout(() => stream.end('last'), 20);
  });
}

/** All at once on one connection. */
async function askAll(url) {
  const session = http2.connect(url, { rejectUnauthorized: false });
  const numbers = Array.from({ length: REQUESTS }, (_, id) => id);
  const made = await Promise.all(numbers.map((id) => ask(session, makeRequest(id))));
  session.close();
  return made;
}

function askHttps(port, made, options = { rejectUnauthorized: false }) {
  const { path, headers } = made;
  return new Promise((done, fail) => {
    const where = { host: '127.0.0.1', port, path, headers, ...options };
    https.get({ ...where, agent: false }, async (response) => {
      const chunks = [];
      for await (const chunk of response) chunks.push(chunk);
      const seen = JSON.parse(Buffer.concat(chunks));
      done({ ...made, status: response.statusCode, seen });
    }).once('error', fail);
  });
}

function check(name, made, spans, service) {
  const what = `${name}: ${made.path}`;
  assert.equal(spans.length, 1, `${what}: ${spans.length} spans`);
  const [span] = spans;
  assert.equal(span.parent_id, made.parentId, what);
  assert.equal(span.method, name !== 'https' && made.id % 3 === 0 ? 'POST' : 'GET');
  assert.equal(span.status, name === 'stream' ? 203 : 202);
  assert.equal(made.status, span.status);
  assert.equal(span.http_version, name === 'https' ? '1.1' : '2.0');
  assert.equal(span.tls, name === 'secure' || name === 'https');
  assert.equal(span.path, made.path.split('?')[0]);
  assert.equal(span.peer, '127.0.0.1');
  assert.equal(span.aborted, false);
  assert.equal(span.spans.length, 1, `${what}: ${JSON.stringify(span.spans)}`);
  const [call] = span.spans;
  assert.equal(call.kind, 'client');
  assert.equal(call.status, 200);
  assert.equal(call.http_version, '2.0');
  assert.equal(call.host, '127.0.0.1');
  assert.equal(call.port, service.address().port);
  assert.equal(call.path, span.path);
  assert.equal(made.seen.traceparent, `00-${made.traceId}-${call.span_id}-01`);
  assert.equal(made.seen.baggage, made.headers.baggage);
}

async function askServers(ports) {
  const made = {
    compat: await askAll(`http://127.0.0.1:${ports.compat}`),
    stream: await askAll(`http://127.0.0.1:${ports.stream}`),
    secure: await askAll(`https://127.0.0.1:${ports.secure}`),
  };
  const numbers = [1, 2, 4, 5];
  made.https = await Promise.all(numbers.map((id) => askHttps(ports.https, makeRequest(id))));
  return made;
}

test('each request is one span, and all that is its own', async () => {
  const service = await startService();
  const url = `http://127.0.0.1:${service.address().port}`;
  const as = ['env', `LD_PRELOAD=${agent}`];
  const args = [url, ...makeCertificate()];
  const program = await start('trace/http2.cjs', { warmUp: 300, as, args });
  try {
    const ports = await program.ask('ports');
    let made;
    const run = await runNodiag(['trace', '--json', '-d', '1m', String(program.pid)], {
      async onStart(child) {
        await untilTraced(program.pid);
        made = await askServers(ports);
        setTimeout(() => child.kill('SIGINT'), 300);
      },
    });
    assert.equal(run.status, 0, run.stderr);
    const { requests } = JSON.parse(run.stdout);
    for (const [name, all] of Object.entries(made))
      for (const request of all) {
        const own = requests.filter((span) => span.trace_id === request.traceId);
        check(name, request, own, service);
      }
    assert.equal(requests.length, 3 * REQUESTS + made.https.length);
    assert.doesNotMatch(run.stderr, /dropped|could not be followed|not all/);
  } finally {
    await program.stop();
    service.close();
  }
});

const SERVER = 2; // SpanKind of OTLP
const CLIENT = 3;

/** One server span with what conventions say of HTTPS, and one of what it asked for. */
function checkSecure(made, spans, port, service) {
  assert.deepEqual(spans.map(({ kind }) => kind).sort(), [SERVER, CLIENT], made.path);
  const [server, client] = spans.sort((a, b) => a.kind - b.kind);
  const address = { 'server.address': '127.0.0.1' };
  const { attributes } = server;
  assert.equal(server.parentId, made.parentId);
  assert.deepEqual(pick(attributes, ['url.scheme', 'server.address', 'server.port', 'url.path']), {
    'url.scheme': 'https', ...address, 'server.port': port, 'url.path': made.path,
  });
  assert.equal(attributes['error.type'], undefined);
  assert.equal(attributes['http.response.status_code'], 202);
  assert.equal(client.parentId, server.spanId);
  const { port: servicePort } = service.address();
  assert.deepEqual(pick(client.attributes, ['url.full', 'server.address', 'server.port']), {
    'url.full': `https://127.0.0.1:${servicePort}${made.path}`, ...address, 'server.port': servicePort,
  });
  const isRefused = made.path.startsWith('/doubting');
  const code = isRefused ? 'DEPTH_ZERO_SELF_SIGNED_CERT' : undefined;
  assert.equal(made.seen.code, code);
  assert.equal(client.attributes['error.type'], code);
  assert.equal(client.attributes['http.response.status_code'], isRefused ? undefined : 200);
  if (!isRefused)
    assert.equal(made.seen.traceparent, `00-${made.traceId}-${client.spanId}-01`);
}

function pick(attributes, names) {
  return Object.fromEntries(names.map((name) => [name, attributes[name]]));
}

test('HTTPS on both ends, and certificates that are refused', async (t) => {
  const files = makeCertificate();
  const [key, cert] = files.map((file) => readFileSync(file));
  const service = https.createServer({ key, cert }, (request, response) => {
    response.end(JSON.stringify(request.headers));
  });
  await new Promise((done) => service.listen(0, '127.0.0.1', done));
  t.after(() => service.close());
  const spans = [];
  const collector = await collectSpans((span) => spans.push(span));
  t.after(() => collector.close());
  const secureUrl = `https://127.0.0.1:${service.address().port}`;
  const as = ['env', `LD_PRELOAD=${agent}`];
  const args = ['http://-', ...files, secureUrl];
  const program = await start('trace/http2.cjs', { warmUp: 300, as, args });
  t.after(() => program.stop());
  const { https: port } = await program.ask('ports');
  // The second of those that are trusted comes on the connection of the first.
  const paths = ['/trusting/1', '/trusting/2', '/doubting/3', '/doubting/4'];
  const made = paths.map((path) => ({ ...makeRequest(1), path }));
  const how = ['export', '--signal', 'traces', '--endpoint', collector.url, '-d', '1m'];
  const run = await runNodiag([...how, String(program.pid)], {
    async onStart(child) {
      await untilTraced(program.pid);
      for (const one of made) Object.assign(one, await askHttps(port, one, { ca: cert }));
      // Who refuses the certificate of the program has asked it for nothing.
      await assert.rejects(askHttps(port, makeRequest(5), {}), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
      child.kill('SIGINT');
    },
  });
  assert.equal(run.status, 0, run.stderr);
  for (const one of made)
    checkSecure(one, spans.filter(({ traceId }) => traceId === one.traceId), port, service);
  assert.equal(spans.length, 2 * made.length);
});
