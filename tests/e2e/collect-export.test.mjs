// SPDX-License-Identifier: Apache-2.0

// A process with the agent whose environment names a collector is sent there, with nobody having
// started nodiag: each to its own, whatever becomes of the collector or of the process.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
} from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import { agent, makeFolder, needNode, runNodiag, skip, start, until } from './harness.mjs';
import { decode, ok, receive, status } from './receiver.mjs';

needNode();
if (spawnSync('protoc', ['--version']).error) skip('there is no protoc');

const metrics = '/v1/metrics';
const traces = '/v1/traces';
const profiles = '/v1development/profiles';
// Ids that protoc prints as they are.
const traceName = 'the-trace-of-it!';
const parentName = 'a-parent';
const hex = (text) => Buffer.from(text).toString('hex');
const parentOf = (flags) => ({ traceparent: `00-${hex(traceName)}-${hex(parentName)}-${flags}` });
const secret = 'Bearer%20HEADERSECRET';

/** What comes by a process of low priority may take its time. */
const eventually = (condition, what) => until(condition, what, 1500);

/** What several processes of one user share: the folder of their sockets, and a log. */
function makeWorld() {
  const sockets = makeFolder();
  const log = join(makeFolder(), 'log');
  const asTo = (url, more = {}) => {
    const env = {
      LD_PRELOAD: agent,
      NODIAG_SOCKET: sockets,
      NODIAG_LOG: log,
      OTEL_EXPORTER_OTLP_ENDPOINT: url,
      OTEL_EXPORTER_OTLP_HEADERS: `authorization=${secret}`,
      ...more,
    };
    return ['env', ...Object.entries(env).map(([name, value]) => `${name}=${value}`)];
  };
  const readLog = () => (existsSync(log) ? readFileSync(log, 'utf8') : '');
  const receivers = [];
  const receiveFor = async (script) => {
    receivers.push(await receive(script));
    return receivers.at(-1);
  };
  return { sockets, asTo, log: readLog, receivers, receive: receiveFor };
}

/** The analyzer of the folder, and those of its children that live. */
function analyzersOf({ sockets }) {
  return readdirSync('/proc').filter((pid) => {
    try {
      const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      const env = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
      return args[1] === 'collect' && env.includes(`NODIAG_SOCKET=${sockets}`);
    } catch {
      return false;
    }
  });
}

/** Its children end with it, some before they are killed. */
function killAnalyzersOf(world) {
  for (const pid of analyzersOf(world))
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch (error) {
      if (error.code !== 'ESRCH') throw error;
    }
}

/** A test in a world of its own, of which nothing stays but what it looked at. */
function itWith(name, body) {
  it(name, async () => {
    const world = makeWorld();
    try {
      await body(world);
    } finally {
      killAnalyzersOf(world);
      for (const { close } of world.receivers) close();
    }
  });
}

/** While protoc runs, nobody answers: a request is made text of once. */
const texts = new WeakMap();

function read(request) {
  if (!texts.has(request)) texts.set(request, decode(request));
  return texts.get(request);
}

/** What was taken at a path, as text. */
function textOf({ requests }, path) {
  return requests
    .filter((request) => request.path === path && request.status === 200)
    .map(read)
    .join('');
}

const count = (text, what) => text.split(what).length - 1;

/** The values of an attribute. */
function valuesOf(text, key) {
  const pattern = new RegExp(`key: "${key}"\\s*value {\\s*string_value: "([^"]*)"`, 'g');
  return [...new Set([...text.matchAll(pattern)].map(([, value]) => value))];
}

function get(port, path, headers = {}) {
  return new Promise((done, fail) => {
    http
      .get({ host: '127.0.0.1', port, path, headers, agent: false }, (response) => {
        response.resume();
        response.on('end', done);
      })
      .once('error', fail);
  });
}

/** So many requests to a program, one after the other. When it answers, they are over for it too. */
async function getAll(program, path, times, headers) {
  const port = await program.ask('port');
  for (let i = 0; i < times; i++) await get(port, `${path}/${i}`, headers);
  await program.ask('port');
}

/** How many spans wait in the queues of the folder, as their files' names say. */
function countQueued(folder) {
  return (existsSync(folder) ? readdirSync(folder, { recursive: true }) : [])
    .map((path) => /-traces-(\d+)\.zst$/.exec(path)?.[1] ?? 0)
    .reduce((sum, items) => sum + Number(items), 0);
}

const startExpress = (as) => start('trace/express.cjs', { as, args: ['http://127.0.0.1:9'] });

/** So many bytes of a process's memory, as any reader from outside gets them. */
function readMemory(pid, at, size) {
  const bytes = Buffer.alloc(size);
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  readSync(memory, bytes, 0, size, at);
  closeSync(memory);
  return bytes;
}

/** What a process says that it is, as OTEP 4719 has it; undefined where it does not say so yet. */
function readContext(pid) {
  const name = /\[anon(_shmem)?:OTEL_CTX\]|\/memfd:OTEL_CTX/;
  const maps = readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n');
  const [found, ...more] = maps.filter((line) => name.test(line));
  assert.deepEqual(more, []);
  if (!found) return undefined;
  const header = readMemory(pid, parseInt(found, 16), 32);
  if (header.readBigUInt64LE(16) === 0n) return undefined;
  assert.equal(header.toString('latin1', 0, 8), 'OTEL_CTX');
  assert.equal(header.readUInt32LE(8), 2);
  return readMemory(pid, Number(header.readBigUInt64LE(24)), header.readUInt32LE(12));
}

describe('a process whose environment names a collector', { concurrency: 4 }, () => {
  itWith('two of them, each to its own, and one that is killed', async (world) => {
    const receivers = [await world.receive(), await world.receive()];
    const contexts = [];
    const programs = await Promise.all(
      receivers.map(({ url }, i) =>
        startExpress(
          world.asTo(url, {
            OTEL_SERVICE_NAME: `shop-${i}`,
            OTEL_METRIC_EXPORT_INTERVAL: '1000',
          }),
        ),
      ),
    );
    try {
      const [program] = programs;
      const children = readFileSync(`/proc/${program.pid}/task/${program.pid}/children`, 'utf8');
      assert.equal(children, '');
      // The agent's own, which any reader makes it have: its memory, and sockets.
      const fds = readdirSync(`/proc/${program.pid}/fd`).map((fd) =>
        readlinkSync(`/proc/${program.pid}/fd/${fd}`),
      );
      assert.equal(fds.filter((link) => /^\/memfd/.test(link)).length, 1, `${fds}`);
      assert.deepEqual(fds.filter((link) => /queue|\.lock|\.so/.test(link)), []);
      await getAll(program, '/users', 20, parentOf('01'));
      for (const { pid } of programs)
        await eventually(() => readContext(pid), `no context of ${pid}: ${world.log()}`);
      contexts.push(...programs.map(({ pid }) => readContext(pid)));
      // Nobody wants the traces of these.
      await getAll(program, '/users', 5, parentOf('00'));
      await getAll(programs[1], '/orders', 3);
      // Loops were asked for these, and answered.
      const spaces = () => valuesOf(textOf(receivers[0], metrics), 'v8js.heap.space.name');
      await eventually(() => spaces().includes('old_space'), 'the heap has no spaces');
      const alive = () => valuesOf(textOf(receivers[0], metrics), 'v8js.resource.type');
      await eventually(() => alive().includes('TCPServerWrap'), 'nothing keeps the loop alive');
    } finally {
      await Promise.all(programs.map((program) => program.stop()));
    }
    for (const [i, receiver] of receivers.entries()) {
      await eventually(
        () => receiver.requests.some(({ path }) => path === metrics),
        `nothing came of ${i}: ${world.log()}`,
      );
      await eventually(
        () => receiver.requests.some(({ path }) => path === traces),
        `no spans came of ${i}: ${world.log()}`,
      );
    }
    await eventually(
      () => count(textOf(receivers[0], traces), 'name: "GET /users/:id"') === 20,
      'not all spans came',
    );
    const metric = /name: "nodejs\.eventloop\.utilization"/;
    await eventually(() => metric.test(textOf(receivers[0], metrics)), 'no metrics of loops came');
    // Whether a request is sampled or not, it counts.
    const counted = /name: "http\.server\.request\.duration"[^]*?\bcount: 25\b/;
    await eventually(() => counted.test(textOf(receivers[0], metrics)), 'not all were counted');
    for (const [i, receiver] of receivers.entries()) {
      for (const path of [metrics, traces])
        assert.deepEqual(valuesOf(textOf(receiver, path), 'service.name'), [`shop-${i}`]);
      assert.ok(receiver.requests.every((r) => r.headers.authorization === 'Bearer HEADERSECRET'));
      assert.match(contexts[i].toString('latin1'), new RegExp(`service\\.name.*shop-${i}`, 's'));
      // Both begin with the resource, which is the same, byte by byte.
      assert.ok(receiver.requests.every(({ body }) => body.includes(contexts[i])));
      }
    const spans = textOf(receivers[0], traces);
    assert.equal(count(spans, ` trace_id: "${traceName}"`), 20);
    assert.equal(count(spans, ` parent_span_id: "${parentName}"`), 20);
    assert.deepEqual(valuesOf(spans, 'http.route'), ['/users/:id']);
    assert.match(world.log(), /sending traces to http:\/\/127\.0\.0\.1:\d+\/v1\/traces$/m);
    assert.doesNotMatch(world.log(), /HEADERSECRET/);
    for (const pid of analyzersOf(world))
      assert.doesNotMatch(readFileSync(`/proc/${pid}/environ`, 'latin1'), /OTEL_|SECRET/);
  });

  itWith('a collector that comes later gets all', async (world) => {
    const down = status(503, 'down');
    const receiver = await world.receive({
      [traces]: [down, down, ok],
      [metrics]: [down, ok],
    });
    const program = await startExpress(world.asTo(receiver.url));
    await getAll(program, '/users', 10);
    await eventually(() => receiver.requests.length > 0, 'nothing was tried');
    await getAll(program, '/users', 10);
    program.child.kill('SIGTERM');
    await program.exited;
    const isThere = () => count(textOf(receiver, traces), 'name: "GET /users/:id"') === 20;
    await eventually(isThere, 'spans were lost');
    await eventually(() => textOf(receiver, metrics), 'metrics were lost');
    const queues = () => readdirSync(world.sockets).filter((name) => /^queue-/.test(name));
    assert.equal(queues().length, 1);
    await eventually(
      () => readdirSync(join(world.sockets, queues()[0])).join() === 'lock',
      'the queue is not empty',
    );
  });

  itWith('what one had to leave is sent by the next', async (world) => {
    let isUp = false;
    const answer = (request, response) => {
      response.writeHead(isUp ? 200 : 503);
      response.end();
    };
    const receiver = await world.receive({ [traces]: [answer] });
    const NODIAG_QUEUE = join(makeFolder(), 'queues');
    const asTo = world.asTo(receiver.url, { NODIAG_QUEUE });
    const program = await startExpress(asTo);
    await getAll(program, '/users', 7);
    await eventually(() => countQueued(NODIAG_QUEUE) === 7, 'they are not in a queue');
    killAnalyzersOf(world);
    await program.stop();
    const tried = receiver.requests.length;
    isUp = true;
    const next = await startExpress(asTo);
    const isThere = () => {
      const text = receiver.requests.slice(tried).filter((r) => r.path === traces).map(read).join('');
      return count(text, 'name: "GET /users/:id"') === 7;
    };
    await eventually(isThere, 'they were lost');
    await next.stop();
  });

  itWith('recorded and sent by one reader, and sent where nothing can be written', async (world) => {
    const receiver = await world.receive();
    const file = join(makeFolder(), 'both.nd');
    const outputs = [file, '/proc/nowhere/x.nd'];
    const programs = await Promise.all(
      outputs.map((output, i) =>
        startExpress(
          world.asTo(receiver.url, { NODIAG_OUTPUT: output, OTEL_SERVICE_NAME: `shop-${i}` }),
        ),
      ),
    );
    // Of each some at once, and some at its end: from the first on it is recorded.
    const countMetrics = () => receiver.requests.filter(({ path }) => path === metrics).length;
    await eventually(() => countMetrics() === 2, `nothing came: ${world.log()}`);
    for (const program of programs) await getAll(program, '/users', 6);
    await Promise.all(programs.map((program) => program.stop()));
    const isThere = () => count(textOf(receiver, traces), 'name: "GET /users/:id"') === 12;
    await eventually(isThere, `spans are missing: ${world.log()}`);
    await eventually(() => countMetrics() === 4, 'metrics are missing');
    await eventually(() => analyzersOf(world).length <= 1, 'the recording has no end');
    const run = await runNodiag(['trace', '--json', file]);
    assert.equal(run.status, 0, run.stderr);
    const route = JSON.parse(run.stdout).routes.find(({ name }) => name === 'GET /users/:id');
    assert.equal(route.count, 6, run.stdout);
    assert.match(world.log(), /cannot write '\/proc\/nowhere\/x\.nd'/);
  });

  itWith('of traces those that failed, of requests all', async (world) => {
    const receiver = await world.receive();
    const program = await startExpress(world.asTo(receiver.url, { NODIAG_TAIL: 'slow=1h,errors' }));
    await getAll(program, '/users', 9);
    await getAll(program, '/fail', 2);
    await program.stop();
    const counted = /name: "http\.server\.request\.duration"[^]*?\bcount: 9\b/;
    await eventually(() => counted.test(textOf(receiver, metrics)), 'not all were counted');
    const isThere = () => count(textOf(receiver, traces), 'name: "GET /fail/:id"') === 2;
    await eventually(isThere, 'those that failed are missing');
    assert.equal(count(textOf(receiver, traces), 'name: "GET /users/:id"'), 0);
  });

  itWith('a profile as often as metrics, recorded or not', async (world) => {
    const receivers = [await world.receive(), await world.receive()];
    const outputs = ['', join(makeFolder(), 'hot.nd')];
    const programs = await Promise.all(
      receivers.map(({ url }, i) =>
        start('tiers.cjs', {
          as: world.asTo(url, {
            NODIAG_OUTPUT: outputs[i],
            NODIAG_PROFILES: '1',
            OTEL_METRIC_EXPORT_INTERVAL: '1000',
          }),
        }),
      ),
    );
    for (const receiver of receivers) {
      const profilesWith = (name) =>
        receiver.requests
          .filter(({ path }) => path === profiles)
          .filter((request) => read(request).includes(`string_table: "${name}"`)).length;
      await eventually(() => profilesWith('hot') >= 2, `no profiles: ${world.log()}`);
    }
    await Promise.all(programs.map((program) => program.stop()));
  });

  itWith('only metrics, and no sampling', async (world) => {
    const receiver = await world.receive();
    const programs = await Promise.all([
      startExpress(world.asTo(receiver.url, { OTEL_TRACES_EXPORTER: 'none' })),
      startExpress(world.asTo(receiver.url, { OTEL_TRACES_SAMPLER: 'always_off' })),
    ]);
    for (const program of programs) await getAll(program, '/users', 3);
    await Promise.all(programs.map((program) => program.stop()));
    // Of each some at once, and some at its end.
    const isThere = () => receiver.requests.filter(({ path }) => path === metrics).length === 4;
    await eventually(isThere, 'there are no metrics');
    assert.equal(textOf(receiver, traces), '');
  });

  itWith('nothing is started where the environment says no', async (world) => {
    const url = 'http://127.0.0.1:9';
    const ways = [
      { OTEL_SDK_DISABLED: 'TRUE' },
      { NODIAG_EXPORT: 'off' },
      { OTEL_TRACES_EXPORTER: 'none', OTEL_METRICS_EXPORTER: 'none' },
      { OTEL_EXPORTER_OTLP_ENDPOINT: '' },
    ];
    const programs = await Promise.all(ways.map((way) => startExpress(world.asTo(url, way))));
    assert.deepEqual(analyzersOf(world), []);
    // A reader finds nobody in its way.
    const run = await runNodiag(['lag', '-d', '100ms', String(programs[0].pid)], {
      env: { NODIAG_SOCKET: world.sockets },
    });
    assert.equal(run.status, 0, run.stderr);
    await Promise.all(programs.map((program) => program.stop()));
    assert.equal(world.log(), '');
  });
});
