// SPDX-License-Identifier: Apache-2.0

// Samples and stalls tell of the request that they were for, in whatever way its handling called
// what runs, and of no other.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import http2 from 'node:http2';
import net from 'node:net';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import {
  agent,
  line,
  makeFolder,
  needNode,
  runNodiag,
  start,
  until,
  untilTraced,
} from './harness.mjs';
import { decode, receive } from './receiver.mjs';

needNode();

/** The route that each function of programs/context.cjs works for. */
const routes = {
  inNow: 'GET /now',
  inAwait: 'GET /await',
  inTimer: 'GET /timer/:id',
  inTick: 'GET /timer/:id',
  inAfter: 'GET /after',
  inFinished: 'GET /finished',
  // With frames, Node.js decides what its timers are for.
  inIdle: line < 24 ? '[no request]' : 'GET /idle',
  inData: 'POST /pieces',
  inEnd: 'POST /pieces',
  inAborted: 'GET /aborted',
  inStall: 'GET /stall',
  inStream: 'GET /stream',
  inUpgraded: '[no request]',
  inBackground: '[no request]',
};

const program = await start('context.cjs', {
  warmUp: 300,
  as: ['env', `LD_PRELOAD=${agent}`],
});
const port = await program.ask('port');

function head(path, more = '') {
  const method = path === '/pieces' ? 'POST' : 'GET';
  return `${method} ${path} HTTP/1.1\r\nhost: a\r\n${more}\r\n`;
}

async function connect() {
  const socket = net.connect(port, '127.0.0.1');
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  await once(socket, 'connect');
  return {
    socket,
    send: (data) => socket.write(data),
    answered: (what, count) =>
      until(() => text.split(what).length > count, `no answer on ${text}`, 1000),
  };
}

const OK = '200 OK';

/** So often at least all ways are gone, however busy the machine is: few of them are sampled each time. */
const ROUNDS = 8;

/** All ways on one connection, one after the other, two at once in the middle, then upgraded. */
async function useConnection() {
  const c = await connect();
  c.send(head('/now'));
  await c.answered(OK, 1);
  c.send(head('/await') + head('/now'));
  await c.answered(OK, 3);
  c.send(head('/timer/7'));
  await c.answered(OK, 4);
  c.send(head('/after'));
  await c.answered(OK, 5);
  c.send(head('/finished'));
  await c.answered(OK, 6);
  c.send(`${head('/pieces', 'content-length: 6\r\n')}abc`);
  await sleep(20);
  c.send('def');
  await c.answered(OK, 7);
  c.send(head('/', 'upgrade: x\r\nconnection: upgrade\r\n'));
  await c.answered('101 Switching', 1);
  c.send('more');
  await c.answered('done', 1);
  c.socket.destroy();
}

async function abort() {
  const c = await connect();
  c.send(head('/aborted'));
  await c.answered('100 Continue', 1);
  c.socket.destroy();
}

async function useStreams(session) {
  const streams = [1, 2].map(() => session.request({ ':path': '/stream' }));
  await Promise.all(streams.map((stream) => once(stream.resume(), 'end')));
}

async function askFor(path) {
  const c = await connect();
  c.send(head(path));
  await c.answered(OK, 1);
  c.socket.destroy();
}

/** Be answered, and wait to be closed. */
async function beIdle() {
  const c = await connect();
  c.send(head('/idle'));
  await once(c.socket, 'close');
}

/** Run nodiag while the program is used for so long, from when its requests are followed. */
function runUsed(args, useMs) {
  return runNodiag(args, {
    async onStart(child) {
      await untilTraced(program.pid);
      const session = http2.connect(`http://127.0.0.1:${await program.ask('streams')}`);
      await askFor('/stall');
      await askFor('/garbage');
      const end = Date.now() + useMs;
      const idle = useMs > 0 && beIdle();
      for (let round = 0; useMs > 0 && (round < ROUNDS || Date.now() < end); round++) {
        await Promise.all([useConnection(), abort()]);
        await useStreams(session);
      }
      await idle;
      session.close();
      child.kill('SIGINT');
    },
  });
}

/** What each function was for, from folded stacks: a Set of routes for each name. */
function readFolded(text) {
  const seen = Object.fromEntries(Object.keys(routes).map((name) => [name, new Set()]));
  for (const stack of String(text).trim().split('\n')) {
    const [route, ...calls] = stack.replace(/ \d+$/, '').split(';');
    const name = calls.map((call) => call.split(' ')[0]).find((call) => call in seen);
    if (name) seen[name].add(route);
  }
  return seen;
}

function checkRoutes(text) {
  const seen = readFolded(text);
  for (const [name, route] of Object.entries(routes))
    assert.deepEqual([...seen[name]], [route], `${name} is for ${[...seen[name]].join(' and ')}`);
}

/**
 * The request that the stall in inStall() was for. Its stack may be one that V8 has moved a function
 * of before it was named; where it has its name, it is for that request.
 */
function checkStall(text) {
  const { stalls } = JSON.parse(text);
  const requests = stalls.map(({ request }) => request);
  const name = (request) => `${request?.method} ${request?.route}`;
  for (const { request, stack } of stalls)
    if (stack.some((call) => call.name === 'inStall')) assert.equal(name(request), 'GET /stall');
  const found = requests.find((request) => name(request) === 'GET /stall');
  assert.ok(found, `stalls are for ${requests.map(name)}`);
  return found;
}

/** The collector's pauses in the middle of a request that makes more garbage than there is room for. */
function checkCollections(text) {
  const { collections, loops } = JSON.parse(text);
  const { collected, longest } = collections.find(({ name }) => name === 'GET /garbage');
  assert.ok(collected.count >= 1);
  assert.ok(collected.longest_ns > 0 && collected.longest_ns <= collected.time_ns);
  assert.equal(longest.route, '/garbage');
  assert.ok(loops[0].heap.allocated_bytes >= collected.allocated_bytes);
  return { collected, longest };
}

const folded = ['-f', 'folded', '-o', '-'];

test('of a running process', async () => {
  const args = ['flame', '--by', 'route', '-r', '250', '-d', '1m', ...folded];
  const run = await runUsed([...args, String(program.pid)], 3000);
  assert.equal(run.status, 0, run.stderr);
  checkRoutes(run.stdout);
});

const recording = join(makeFolder(), 'a.nd');

test('of a recording, and of its stalls', async () => {
  const args = ['record', '--trace', '-r', '250', '-d', '1m', '-o', recording];
  const run = await runUsed([...args, String(program.pid)], 2500);
  assert.equal(run.status, 0, run.stderr);
  const flame = await runNodiag(['flame', '--by', 'route', ...folded, recording]);
  assert.equal(flame.status, 0, flame.stderr);
  checkRoutes(flame.stdout);

  const lag = await runNodiag(['lag', '--json', recording]);
  assert.equal(lag.status, 0, lag.stderr);
  const request = checkStall(lag.stdout);
  const garbage = checkCollections(lag.stdout);
  const trace = JSON.parse((await runNodiag(['trace', '--json', recording])).stdout);
  const known = trace.requests.find(({ span_id: id }) => id === request.span_id);
  assert.equal(known.trace_id, request.trace_id);
  assert.equal(known.stall.request.span_id, request.span_id);
  const made = trace.requests.find(({ span_id: id }) => id === garbage.longest.span_id);
  assert.equal(made.trace_id, garbage.longest.trace_id);
  assert.equal(made.collected.count, garbage.collected.count);
  assert.equal(made.collected.time_ns, garbage.collected.time_ns);
});

const noProtoc = spawnSync('protoc', ['--version']).error && 'there is no protoc';

test('a profile of the recording is linked to its requests', { skip: noProtoc }, async () => {
  const receiver = await receive();
  const run = await runNodiag(['export', '--endpoint', receiver.url, recording]);
  receiver.close();
  assert.equal(run.status, 0, run.stderr);
  const sent = (path) =>
    receiver.requests
      .filter((request) => request.path === path)
      .map(decode)
      .join('');
  const ids = (text) => new Set(text.match(/\bspan_id: "[^\n]*"/g));
  const spans = ids(sent('/v1/traces'));
  const links = [...ids(sent('/v1development/profiles'))].filter((id) => !/: ""$|(\\000){8}/.test(id));
  assert.ok(links.length > 1, `${links.length} links`);
  // Those of requests that were open at the end are not sent.
  const known = links.filter((id) => spans.has(id));
  assert.ok(known.length >= links.length - 4, `${known.length} of ${links.length} are sent`);
});

test('what the agent can do is in the list of processes', async () => {
  const run = await runNodiag(['lag', '--trace', '-d', '1m', String(program.pid)], {
    async onStart(child) {
      await untilTraced(program.pid);
      const { processes } = JSON.parse((await runNodiag(['ps', '--json'])).stdout);
      const { agent: is } = processes.find(({ pid }) => pid === program.pid);
      assert.ok(is.features.includes('trace'));
      assert.equal(is.tracing, 'on');
      assert.equal(is.context, 'on');
      assert.equal(is.untraced, null);
      assert.equal(is.unread, null);
      child.kill('SIGINT');
    },
  });
  assert.equal(run.status, 0, run.stderr);
});

test('of stalls that are watched', async () => {
  const args = ['lag', '--trace', '--json', '-d', '1m', String(program.pid)];
  const run = await runUsed(args, 0);
  assert.equal(run.status, 0, run.stderr);
  checkStall(run.stdout);
  checkCollections(run.stdout);
});

test('without the agent there is an answer to what is missing', async () => {
  const other = await start('context.cjs', { warmUp: 0 });
  try {
    const run = await runNodiag(['flame', '--by', 'route', '-o', '-', String(other.pid)]);
    assert.notEqual(run.status, 0);
    assert.match(run.stderr, /hint: load it: nodiag attach/);
  } finally {
    await other.stop();
  }
});

test('the program is as it was', async () => {
  await program.stop();
});
