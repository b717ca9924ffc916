// SPDX-License-Identifier: Apache-2.0

// Where OpenTelemetry or dd-trace traces a program, nodiag shows the ids that this has, adds nothing to what
// goes out, and sends nothing. And where nothing else does, loggers can ask for nodiag's.

import assert from 'node:assert/strict';
import http from 'node:http';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { agent, makeFolder, needNode, runNodiag, start, until, untilTraced } from './harness.mjs';

needNode();

const SERVER = 1; // SpanKind of OpenTelemetry
const CLIENT = 2;

const service = http.createServer((request, response) => {
  request.resume();
  response.end(JSON.stringify({ ...request.headers, raw: request.rawHeaders }));
});
await new Promise((done) => service.listen(0, '127.0.0.1', done));
test.after(() => service.close());
const url = `http://127.0.0.1:${service.address().port}`;

/** Start a program, record its requests while `body(port, program)` runs, and stop it. */
async function record(name, folder, body, args = []) {
  const as = ['env', `LD_PRELOAD=${agent}`];
  const program = await start(name, { warmUp: 300, as, args: [url, ...args] });
  try {
    const port = await program.ask('port');
    const run = await runNodiag(
      ['record', '--trace', '-d', '1m', '-o', 'r.nd', String(program.pid)],
      {
        folder,
        async onStart(child) {
          await untilTraced(program.pid);
          await body(port, program);
          await sleep(300);
          child.kill('SIGINT');
        },
      },
    );
    assert.equal(run.status, 0, run.stderr);
  } finally {
    await program.stop();
  }
}

async function readRequests(folder) {
  const run = await runNodiag(['trace', '--json', 'r.nd'], { folder });
  assert.equal(run.status, 0, run.stderr);
  return JSON.parse(run.stdout).requests;
}

/** What would be sent of the requests. */
async function tryExport(folder) {
  const run = await runNodiag(['export', '--dry-run', '--signal', 'traces', 'r.nd'], { folder });
  assert.equal(run.status, 0, run.stderr);
  return run.stdout.toString();
}

async function get(port, path) {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  return response.json();
}

const idsOf = (list) => list.map((one) => `${one.path} ${one.trace_id} ${one.span_id}`).sort();

test('requests have the ids of the OpenTelemetry that the program runs', async () => {
  const folder = makeFolder();
  const paths = Array.from({ length: 40 }, (_, i) => (i % 4 ? `/users/${i}` : '/within'));
  let seen;
  let theirs;
  await record('trace/opentelemetry.cjs', folder, async (port, program) => {
    seen = await Promise.all(paths.map((path) => get(port, path)));
    theirs = await program.ask('spans');
  });
  const requests = await readRequests(folder);
  assert.equal(requests.length, paths.length);
  assert.ok(requests.every(({ observed, spans }) => observed && spans.length === 1));

  // In a span within its own, the request's id is not always known; the trace's is.
  const expected = theirs
    .filter(({ kind }) => kind === SERVER)
    .map(({ path, traceId, spanId }) => ({ path, trace_id: traceId, span_id: spanId }));
  const known = requests.map((request) => {
    const { span_id: spanId } = expected.find(({ trace_id: id }) => id === request.trace_id) ?? {};
    const isHidden = request.path === '/within' && request.span_id === null;
    return isHidden ? { ...request, span_id: spanId } : request;
  });
  assert.deepEqual(idsOf(known), idsOf(expected));

  // What went out says what OpenTelemetry made it say.
  const sent = theirs.filter(({ kind }) => kind === CLIENT);
  assert.deepEqual(
    seen.map(({ traceparent }) => traceparent).sort(),
    sent.map(({ traceId, spanId }) => `00-${traceId}-${spanId}-01`).sort(),
  );
  assert.doesNotMatch(await tryExport(folder), /spans/);
});

/** Takes what dd-trace sends, and says how often it did. */
async function startDatadog() {
  const taken = [];
  const server = http.createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    if (/\/traces$/.test(request.url)) taken.push(Buffer.concat(chunks));
    response.end('{"rate_by_service":{}}');
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  test.after(() => server.closeAllConnections());
  test.after(() => server.close());
  return { taken, url: `http://127.0.0.1:${server.address().port}` };
}

test('requests have the ids of the dd-trace that the program runs', async () => {
  const folder = makeFolder();
  const datadog = await startDatadog();
  const paths = Array.from({ length: 40 }, (_, i) => `/users/${i}`);
  let seen;
  let theirs;
  const body = async (port, program) => {
    seen = await Promise.all(paths.map((path) => get(port, path)));
    theirs = await program.ask('spans');
    await until(() => datadog.taken.length, 'dd-trace sent nothing');
  };
  await record('trace/datadog.cjs', folder, body, [datadog.url]);
  const requests = await readRequests(folder);
  assert.equal(requests.length, paths.length);
  assert.ok(requests.every(({ observed, spans }) => observed && spans.length === 1));
  const expected = theirs.map(({ path, traceId, spanId }) => ({
    path, trace_id: traceId, span_id: spanId,
  }));
  assert.deepEqual(idsOf(requests), idsOf(expected));

  // What went out has one head of each kind, with dd-trace's trace, and no id of nodiag's.
  const own = requests.flatMap(({ spans }) => spans.map(({ span_id: id }) => id));
  const traceIds = seen.map(({ traceparent, raw }) => {
    const [, traceId, spanId] = traceparent.split('-');
    assert.equal(raw.filter((name) => /^traceparent$/i.test(name)).length, 1);
    assert.ok(!own.includes(spanId), 'what went out says an id of nodiag');
    return traceId;
  });
  assert.deepEqual(traceIds.sort(), expected.map(({ trace_id: id }) => id).sort());
  assert.doesNotMatch(await tryExport(folder), /spans/);
});

test('loggers are told in which trace they are, while requests are followed', async () => {
  const folder = makeFolder();
  const logged = [];
  await record('trace/logged.cjs', folder, async (port, program) => {
    await Promise.all(Array.from({ length: 40 }, (_, i) => get(port, `/users/${i}`)));
    logged.push(...(await program.ask('lines')));
  });
  const requests = await readRequests(folder);
  assert.match(await tryExport(folder), /^40 spans/m);
  const inRequests = logged.filter(({ path }) => path);
  assert.equal(inRequests.length, 40);
  assert.deepEqual(idsOf(inRequests), idsOf(requests));
  assert.ok(inRequests.every(({ trace_flags: flags }) => flags === '01'));
  // What belongs to no request has no ids.
  assert.ok(logged.filter(({ path }) => !path).every((entry) => !('trace_id' in entry)));
});
