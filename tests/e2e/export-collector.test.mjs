// SPDX-License-Identifier: Apache-2.0

// Through a real collector: what it passes on is what nodiag sends. scripts/collector finds one.

import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test, { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';

import {
  agent,
  line,
  makeFolder,
  needNode,
  nodiag,
  nodeOf,
  programPath,
  runNodiag,
  skip,
} from './harness.mjs';
import { decode, receive } from './receiver.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const recording = join(makeFolder(), 'known.nd');
const found = spawnSync(join(here, '../../scripts/collector'), { encoding: 'utf8' });

needNode();
if (spawnSync('protoc', ['--version']).error) skip('there is no protoc');
if (found.status !== 0) skip(found.stderr.trim());
const [kind, binary] = found.stdout.trim().split(' ');
const signals = kind === 'otelcol' ? ['metrics', 'profiles', 'traces'] : ['metrics', 'traces'];
writeFileSync(recording, execFileSync(join(dirname(nodiag), '../tests/tools/make_recording')));

async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/**
 * The command of a collector that passes all it gets at these ports on to `url`; with `full` one
 * that has no memory left.
 */
function commandOf({ http, grpc }, url, full = false) {
  if (kind === 'rotel') {
    return [
      'start',
      ...['--otlp-http-endpoint', `127.0.0.1:${http}`],
      ...['--otlp-grpc-endpoint', `127.0.0.1:${grpc}`],
      ...['--exporter', 'otlp', '--otlp-exporter-protocol', 'http'],
      ...['--otlp-exporter-endpoint', url, '--otlp-exporter-compression', 'none'],
    ];
  }
  const config = join(makeFolder(), 'config.yaml');
  const processors = full ? '[memory_limiter]' : '[]';
  const pipeline = `{receivers: [otlp], processors: ${processors}, exporters: [otlp_http]}`;
  writeFileSync(
    config,
    `receivers:
  otlp:
    protocols: {http: {endpoint: "127.0.0.1:${http}"}, grpc: {endpoint: "127.0.0.1:${grpc}"}}
processors: {memory_limiter: {check_interval: 100ms, limit_mib: 2, spike_limit_mib: 1}}
exporters: {otlp_http: {endpoint: "${url}", compression: none}}
service:
  telemetry: {metrics: {level: none}}
  pipelines: {metrics: ${pipeline}, profiles: ${pipeline}, traces: ${pipeline}}
`,
  );
  return ['--config', config, '--feature-gates=+service.profilesSupport'];
}

async function isOpen(port) {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      done(true);
    });
    socket.on('error', () => done(false));
  });
}

/** Start a collector, and return its ports when it listens. */
async function startCollector(url, full) {
  const ports = { http: await freePort(), grpc: await freePort() };
  const child = spawn(binary, commandOf(ports, url, full), { stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  child.stdout.on('data', (data) => (log += data));
  child.stderr.on('data', (data) => (log += data));
  process.on('exit', () => child.kill('SIGKILL'));
  after(() => child.kill('SIGKILL'));
  for (let tries = 0; !((await isOpen(ports.http)) && (await isOpen(ports.grpc))); tries++) {
    assert.ok(tries < 300 && child.exitCode === null, `the collector does not listen:\n${log}`);
    await sleep(50);
  }
  return ports;
}

const receiver = await receive();
after(() => receiver.close());
const ports = await startCollector(receiver.url, false);

/**
 * All that is in requests, in an order that does not depend on theirs; without what is random, and
 * without messages that are empty, which collectors add.
 */
function linesOf(requests) {
  return requests
    .map(decode)
    .join('')
    .split('\n')
    .filter((text) => !/profile_id:|_id: "[\\0]+"$|^ *\d+: ""$|^ *\w+ {$|^ *}$/.test(text))
    .sort();
}

/** Send with nodiag, through the collector or to a receiver of ours, and return what came. */
async function send(url, requests, args, env = {}) {
  const from = requests.length;
  const run = await runNodiag(['export', '--endpoint', url, ...args], { env });
  assert.equal(run.status, 0, run.stderr);
  assert.equal(run.stderr.includes('rejected'), false, run.stderr);
  for (let tries = 0; requests.length < from + signals.length && tries < 300; tries++) {
    await sleep(50);
  }
  return { stdout: run.stdout.toString(), requests: requests.slice(from) };
}

const args = [...signals.flatMap((name) => ['--signal', name]), recording];
const ours = await receive();
const direct = await send(ours.url, ours.requests, args);
ours.close();

/** What was sent and where, but for hosts and paths. */
const countsOf = ({ stdout }) => stdout.replaceAll(/ to .*/g, '');

// Rotel does not take zstd.
const compressions = kind === 'otelcol' ? ['gzip', 'zstd'] : ['gzip'];

for (const compression of compressions) {
  test(`a recording comes through as it is, with ${compression}`, async () => {
    const env = { OTEL_EXPORTER_OTLP_COMPRESSION: compression };
    const through = await send(`http://127.0.0.1:${ports.http}`, receiver.requests, args, env);
    assert.equal(countsOf(through), countsOf(direct));
    assert.deepEqual(linesOf(through.requests), linesOf(direct.requests));
  });
}

for (const compression of ['none', ...compressions]) {
  test(`by gRPC too, with compression ${compression}`, async () => {
    const env = {
      OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
      OTEL_EXPORTER_OTLP_COMPRESSION: compression,
    };
    const through = await send(`http://127.0.0.1:${ports.grpc}`, receiver.requests, args, env);
    assert.equal(countsOf(through), countsOf(direct));
    assert.deepEqual(linesOf(through.requests), linesOf(direct.requests));
  });
}

test('so do the metrics and requests of a process, every second', async () => {
  const program = spawn(nodeOf(line), [programPath('http.cjs')], {
    env: { ...process.env, LD_PRELOAD: agent, OTEL_SERVICE_NAME: 'shop' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const from = receiver.requests.length;
  try {
    const lines = createInterface({ input: program.stdout })[Symbol.asyncIterator]();
    assert.equal((await lines.next()).value, 'ready');
    program.stdin.write('port\n');
    const url = `http://127.0.0.1:${JSON.parse((await lines.next()).value)}`;
    const what = ['--signal', 'metrics', '--signal', 'traces', '-d', '3500ms'];
    const where = ['--endpoint', `http://127.0.0.1:${ports.http}`, String(program.pid)];
    const run = await runNodiag(['export', ...what, ...where], {
      env: { OTEL_METRIC_EXPORT_INTERVAL: '1000' },
      async onStart() {
        // Once it watches, there are four requests more.
        for (let left = 4, tries = 0; left && tries < 100; tries++) {
          await fetch(`${url}/order`).then((response) => response.text());
          if (receiver.requests.slice(from).some(({ path }) => path === '/v1/traces')) left--;
          await sleep(25);
        }
      },
    });
    assert.equal(run.status, 0, run.stderr);
    assert.match(run.stdout.toString(), /^\d+ data points sent/);
  } finally {
    program.kill('SIGKILL');
  }
  for (let tries = 0; receiver.requests.length < from + 3 && tries < 300; tries++) await sleep(50);
  const text = receiver.requests.slice(from).map(decode).join('');
  for (const name of [
    'nodejs.eventloop.time',
    'nodejs.eventloop.delay.p99',
    'process.cpu.time',
    'process.memory.usage',
  ]) {
    assert.ok(text.split(`name: "${name}"`).length >= 3, `${name} came less than twice`);
  }
  const spans = text.split('kind: SPAN_KIND_SERVER').length - 1;
  assert.ok(spans >= 4, `${spans} spans`);
  assert.match(text, /string_value: "\/order"/);
  assert.match(text, /string_value: "shop"/);
  assert.match(text, new RegExp(`int_value: ${program.pid}\\b`));
});

test('a collector without memory is tried again', async (t) => {
  if (kind !== 'otelcol') return t.skip('only the full collector has a limit of memory');
  const full = await startCollector(receiver.url, true);
  await sleep(300);
  const from = receiver.requests.length;
  const run = await runNodiag(
    ['export', '--signal', 'metrics', '--endpoint', `http://127.0.0.1:${full.http}`, recording],
    {
      async onStart(child) {
        await new Promise((done) => child.stderr.once('data', done));
        child.kill('SIGINT');
      },
    },
  );
  assert.equal(run.status, 1, run.stderr);
  assert.match(run.stderr, /HTTP 503, .*memory.*; trying again/);
  assert.equal(receiver.requests.length, from);
});
