// SPDX-License-Identifier: Apache-2.0

// Requests are followed however the program was started, and on connections that do unusual things;
// and when nobody looks any more, nothing is left of it.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import {
  agent,
  line,
  makeFolder,
  needNode,
  nodeOf,
  programPath,
  runNodiag,
  start,
  untilTraced,
} from './harness.mjs';

needNode();

const service = http.createServer((request, response) => {
  request.resume();
  response.end(JSON.stringify(request.headers));
});
await new Promise((done) => service.listen(0, '127.0.0.1', done));
const url = `http://127.0.0.1:${service.address().port}`;

const hex = (bytes) => randomBytes(bytes).toString('hex');

/** The head of a request with a parent of its own. */
function makeHead(method, path, headers = []) {
  const traceId = hex(16);
  const all = ['host: 127.0.0.1', `traceparent: 00-${traceId}-${hex(8)}-01`, ...headers];
  return { traceId, text: `${method} ${path} HTTP/1.1\r\n${all.join('\r\n')}\r\n\r\n` };
}

/** Start a server, trace it while `body(port)` runs, and stop it; what nodiag said. */
async function trace({ name = 'trace/plain.cjs', args = [], nodeFlags = [] }, body, after) {
  const as = ['env', `LD_PRELOAD=${agent}`];
  const program = await start(name, { warmUp: 300, as, nodeFlags, args: [url, ...args] });
  try {
    const port = await program.ask('port');
    const run = await runNodiag(['trace', '--json', '-d', '1m', String(program.pid)], {
      async onStart(child) {
        await untilTraced(program.pid);
        await body(port);
        await sleep(300);
        child.kill('SIGINT');
      },
    });
    await after?.(program);
    return run;
  } finally {
    await program.stop();
  }
}

/**
 * Send texts on one connection, each when what came back until then satisfies `until`, or a moment
 * after the one before; all that came back.
 */
async function talk(port, ...steps) {
  const socket = net.connect(port, '127.0.0.1');
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  await once(socket, 'connect');
  for (const [send, until] of steps) {
    socket.write(send);
    if (until) for (let tries = 0; tries < 1000 && !until(text); tries++) await sleep(10);
    else await sleep(250);
  }
  socket.destroy();
  return text;
}

const hello = [makeHead('GET', '/').text, (text) => text.includes('hello')];

/** So many traces were seen by the service. */
const seen = (count) => (text) => tracesIn(text).length === count;

/** The traces that the service saw, as the program passed on what it answered. */
function tracesIn(text) {
  const all = text.matchAll(/"traceparent":"00-([0-9a-f]{32})-[0-9a-f]{16}-01"/g);
  return [...all].map(([, traceId]) => traceId);
}

function requestsOf(run) {
  assert.equal(run.status, 0, run.stderr);
  return JSON.parse(run.stdout).requests;
}

async function checkFollowed(how) {
  const head = makeHead('GET', '/out/7?secret=1');
  let text;
  const run = await trace(how, async (port) => {
    text = await talk(port, [head.text, seen(3)]);
  });
  const [request, ...others] = requestsOf(run);
  assert.deepEqual(others, []);
  assert.equal(request.trace_id, head.traceId);
  assert.equal(request.name, 'GET /out/:id');
  assert.equal(request.spans.length, 3);
  assert.deepEqual(tracesIn(text), Array(3).fill(head.traceId));
}

const flags = ['--disallow-code-generation-from-strings', '--frozen-intrinsics', '--no-addons'];
if (Number(line) >= 24) flags.push('--permission', '--allow-fs-read=*');
if (Number(line) >= 26) flags.push('--allow-net');

test('a program that may do little', () => checkFollowed({ nodeFlags: flags }));
test('an ES module', () => checkFollowed({ name: 'trace/plain.mjs' }));
test('a worker', () => checkFollowed({ args: ['worker'] }));

test('what comes later on a connection is no part of what came before', async () => {
  const first = makeHead('GET', '/out/1');
  const second = makeHead('GET', '/out/2');
  const pieces = makeHead('POST', '/pieces/3', ['content-length: 9']);
  const upgrade = 'GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n';
  let text;
  const run = await trace({}, async (port) => {
    text = await talk(port, [`${first.text}${second.text}`, seen(6)], [`${pieces.text}first`],
      ['last', seen(7)], [upgrade, seen(8)]);
  });
  const traces = tracesIn(text);
  const three = ({ traceId }) => Array(3).fill(traceId);
  const expected = [...three(first), ...three(second), pieces.traceId];
  assert.deepEqual(traces.slice(0, 7), expected, text);
  assert.equal(traces.length, 8);
  assert.ok(!expected.includes(traces[7]), 'the upgraded connection is in a trace of before');
  assert.deepEqual(requestsOf(run).map(({ spans }) => spans.length).sort(), [1, 3, 3]);
});

test('what comes in one piece is told apart', async () => {
  const pieces = makeHead('POST', '/pieces/1', ['content-length: 4']);
  const [next, waiting, behind] = [2, 3, 4].map((id) => makeHead('GET', `/out/${id}`));
  const upgrade = 'GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n';
  const texts = [];
  const run = await trace({}, async (port) => {
    // The rest of a body, and the next request.
    texts.push(await talk(port, [pieces.text], [`last${next.text}`, seen(4)]));
    // Connections that are upgraded while a request is not answered: at once, and a moment later.
    texts.push(await talk(port, [`${waiting.text}${upgrade}`, (text) => text.includes('101 ')]));
    texts.push(await talk(port, [behind.text, () => true], [upgrade, (text) => text.includes('101 ')]));
  });
  assert.deepEqual(tracesIn(texts[0]), [pieces.traceId, ...Array(3).fill(next.traceId)]);
  // What was asked for an upgrade is in no trace, or begins one.
  for (const [at, { traceId }] of [waiting, behind].entries()) {
    const asked = texts[at + 1].split('101 Switching Protocols').at(-1);
    assert.match(asked, /"host":/);
    assert.ok(!tracesIn(asked).includes(traceId), 'an upgrade is in the trace of what came before');
  }
  assert.equal(requestsOf(run).length, 4);
});

test('what a connection had before is taken only where it is the same', async () => {
  const asked = [['GET', 'a:81'], ['GET', 'a:81'], ['POST', 'a:81'], ['POST', 'b'], ['GET', '']];
  const steps = asked.map(([method, host], at) => [
    `${method} /${at} HTTP/1.1\r\nhost: ${host}\r\n\r\n`,
    (text) => text.split('hello').length === at + 2,
  ]);
  const run = await trace({}, (port) => talk(port, ...steps));
  const found = requestsOf(run).map((it) => [it.path, it.method, it.host, it.port, it.peer]);
  assert.deepEqual(found.sort(), [
    ['/0', 'GET', 'a', 81, '127.0.0.1'],
    ['/1', 'GET', 'a', 81, '127.0.0.1'],
    ['/2', 'POST', 'a', 81, '127.0.0.1'],
    ['/3', 'POST', 'b', 80, '127.0.0.1'],
    ['/4', 'GET', null, null, '127.0.0.1'],
  ]);
});

test('a request that makes very many asynchronous resources in one turn', async () => {
  const head = makeHead('GET', '/ticks/1');
  const next = makeHead('GET', '/ticks/2');
  let text;
  await trace({}, async (port) => {
    text = await talk(port, [`${head.text}${next.text}`, seen(6)]);
  });
  assert.deepEqual(tracesIn(text), [...Array(3).fill(head.traceId), ...Array(3).fill(next.traceId)]);
});

/** The request that programs/trace/once.cjs makes and answers. */
function checkOnce(requests) {
  assert.equal(requests.length, 1);
  const [request] = requests;
  assert.equal(request.name, 'GET /users/:id');
  assert.equal(request.path, '/users/7');
  assert.equal(request.status, 200);
  // Its parent is what the program asked itself with.
  assert.match(request.parent_id, /^[0-9a-f]{16}$/);
  assert.ok(request.duration_ns > 10e6);
}

test('a command is followed from its beginning, and a recording answers as well', async () => {
  const folder = makeFolder();
  const command = ['--', nodeOf(line), programPath('trace/once.cjs')];
  const live = await runNodiag(['trace', '--json', ...command]);
  assert.equal(live.status, 3, live.stderr);
  checkOnce(JSON.parse(live.stdout).requests);
  const record = await runNodiag(['record', '--trace', '-o', 'r.nd', ...command], { folder });
  assert.equal(record.status, 3, record.stderr);
  checkOnce(requestsOf(await runNodiag(['trace', '--json', 'r.nd'], { folder })));
});

test('nothing is left when nobody looks', async () => {
  const clean = { subscribed: [], wrapped: false, globals: [] };
  const run = await trace({}, (port) => talk(port, hello), async (program) => {
    await sleep(300);
    // undici, where it is loaded, listens to itself.
    const left = await program.ask('traces');
    assert.deepEqual(left, clean);
  });
  assert.equal(requestsOf(run).length, 1);
});

test('who asks in the turn in which the agent goes asks without a trace', async () => {
  const as = ['env', `LD_PRELOAD=${agent}`, 'NODIAG_TRACE=1'];
  const program = await start('trace/plain.cjs', { warmUp: 700, as, args: [url] });
  try {
    const asked = program.ask('late');
    await sleep(200);
    const run = await runNodiag(['detach', String(program.pid)]);
    assert.equal(run.status, 0, run.stderr);
    assert.equal(await asked, 'none');
  } finally {
    await program.stop();
  }
});

test('a program with a tracer of its own is only looked at', async () => {
  const head = makeHead('GET', '/out/7');
  let text;
  const run = await trace({ args: ['tracer'] }, async (port) => {
    text = await talk(port, [head.text, (all) => all.endsWith('0\r\n\r\n')]);
  });
  const [request, ...others] = requestsOf(run);
  assert.deepEqual(others, []);
  assert.equal(request.observed, true);
  // It says nothing of traces, and not even what came in is believed to be its.
  assert.deepEqual([request.trace_id, request.span_id, request.parent_id], [null, null, null]);
  assert.equal(request.spans.length, 3);
  assert.deepEqual(tracesIn(text), []);
});

test('a program that took away what the script is made of goes on, and it is said', async () => {
  const log = join(makeFolder(), 'log');
  const as = ['env', `LD_PRELOAD=${agent}`, 'NODIAG_TRACE=1', `NODIAG_LOG=${log}`];
  const nodeFlags = ['-r', programPath('trace/bare.cjs')];
  const program = await start('trace/plain.cjs', { warmUp: 700, as, nodeFlags, args: [url] });
  try {
    const pid = String(program.pid);
    const run = await runNodiag(['trace', '-d', '300ms', pid]);
    assert.match(run.stderr, /the agent's script did not run/);
    assert.match(readFileSync(log, 'utf8'), /the agent's script did not load in thread \d+\n/);
    const port = await program.ask('port');
    assert.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 200);
  } finally {
    await program.stop();
  }
});

test.after(() => service.close());
