// SPDX-License-Identifier: Apache-2.0

// The wall clock is set an hour ahead and then an hour back while a program is sent to a collector,
// and while it is recorded: requests begin when the clock said so, last as long as they did, hold
// what they asked for, and nothing waits for an hour or comes all the time.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, writeSync } from 'node:fs';
import http from 'node:http';
import { dirname, join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import {
  agent,
  makeFolder,
  needNode,
  nodiag,
  runNodiag,
  skip,
  start,
  until,
  untilTraced,
} from './harness.mjs';
import { readSpans } from './otlp.mjs';
import { decode, ok, receive } from './receiver.mjs';

needNode();
if (spawnSync('protoc', ['--version']).error) skip('there is no protoc');

const HOUR_MS = 3_600_000;
/** By so much a clock that was set to an hour is known from one that was not. */
const NEAR_MS = HOUR_MS / 4;
const REQUESTS = 5; // after each step
const INTERVAL_MS = 1000;

const shift = join(dirname(nodiag), '../tests/tools/shift_clock.so');
const traces = '/v1/traces';
const metrics = '/v1/metrics';

/** A clock of its own for who runs with `env`, as many milliseconds ahead as it is set to. */
function makeClock() {
  const path = join(makeFolder(), 'clock');
  const fd = openSync(path, 'w');
  const set = (aheadMs) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(aheadMs) * 1_000_000n);
    writeSync(fd, bytes, 0, 8, 0);
  };
  set(0);
  return { env: { ND_CLOCK: path, LD_PRELOAD: shift }, set, close: () => closeSync(fd) };
}

const service = http.createServer((request, response) => {
  request.resume();
  setTimeout(() => response.end(JSON.stringify(request.headers)), 30);
});
await new Promise((done) => service.listen(0, '127.0.0.1', done));
after(() => service.close());
const serviceUrl = `http://127.0.0.1:${service.address().port}`;

function get(port, path) {
  return new Promise((done, fail) => {
    http.get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      response.resume().once('end', done);
    }).once('error', fail);
  });
}

/**
 * Start a server by a clock of its own, and call `body({program, clock, ask})`; `ask(aheadMs)` makes
 * its requests, whose ids tell by which clock they are made.
 */
async function serveByClock(body) {
  const clock = makeClock();
  const { ND_CLOCK } = clock.env;
  const as = ['env', `LD_PRELOAD=${agent} ${shift}`, `ND_CLOCK=${ND_CLOCK}`];
  const program = await start('trace/plain.cjs', { warmUp: 300, as, args: [serviceUrl] });
  const port = await program.ask('port');
  const ask = async (aheadMs) => {
    for (let i = 0; i < REQUESTS; i++) await get(port, `/out/${aheadMs}`);
  };
  try {
    await body({ program, clock, ask });
  } finally {
    await program.stop();
    clock.close();
  }
}

const isServer = ({ kind }) => kind === 2;

const toMs = (ns) => Number(ns / 1_000_000n);

/** All requests that were made by clocks with these steps, each by its clock and whole. */
function checkSpans(spans, steps) {
  const servers = spans.filter(isServer);
  assert.equal(servers.length, steps.length * REQUESTS);
  assert.equal(spans.length, servers.length * 4);
  for (const span of servers) {
    const aheadMs = Number(span.attributes['url.path'].split('/')[2]);
    assert.ok(steps.includes(aheadMs), span.attributes['url.path']);
    const offMs = toMs(span.start) - Date.now() - aheadMs;
    assert.ok(Math.abs(offMs) < NEAR_MS, `set to ${aheadMs} ms, it begins ${offMs} ms off`);
    const tookMs = toMs(span.end - span.start);
    assert.ok(tookMs >= 60 && tookMs < NEAR_MS, `it took ${tookMs} ms`);
    const calls = spans.filter(({ parentId }) => parentId === span.spanId);
    assert.equal(calls.length, 3);
    for (const call of calls)
      assert.ok(span.start <= call.start && call.start < call.end && call.end <= span.end);
  }
}

/** By how many milliseconds the clock was ahead that the newest metrics are of. */
function readAhead({ requests }) {
  const last = requests.filter(({ path }) => path === metrics).at(-1);
  if (!last) return NaN;
  last.ahead ??= toMs(BigInt(/ time_unix_nano: (\d+)/.exec(decode(last))[1])) - Date.now();
  return last.ahead;
}

const isNear = (a, b) => Math.abs(a - b) < NEAR_MS;

// They wait most of the time.
describe('while the clock is set', { concurrency: 2 }, () => {
  it('of a program that is sent', async (t) => {
    const steps = [0, HOUR_MS, -HOUR_MS];
    // The collector's clock is right, and it wants to be left alone for 2 s when ours is an hour back.
    let refused = false;
    const refuse = (request, response) => {
      const isBack = isNear(readAhead(receiver), -HOUR_MS);
      if (!isBack || refused) return response.end();
      refused = true;
      requestsOf(traces).at(-1).status = 503;
      const date = new Date(Date.now() + 2000).toUTCString();
      return response.writeHead(503, { 'retry-after': date }).end();
    };
    const receiver = await receive({ [traces]: [refuse], [metrics]: [ok] });
    t.after(() => receiver.close());
    const requestsOf = (path) => receiver.requests.filter((request) => request.path === path);
    const findTaken = () =>
      requestsOf(traces)
        .filter(({ status }) => status !== 503)
        .flatMap((request) => (request.spans ??= readSpans(request.body)));
    let tookMs = performance.now();
    await serveByClock(async ({ program, clock, ask }) => {
      const signals = ['--signal', 'traces', '--signal', 'metrics'];
      const args = ['export', ...signals, '--endpoint', receiver.url, '-d', '1m'];
      const run = await runNodiag([...args, String(program.pid)], {
        env: { ...clock.env, OTEL_METRIC_EXPORT_INTERVAL: String(INTERVAL_MS) },
        async onStart(child) {
          await untilTraced(program.pid);
          for (const step of steps) {
            clock.set(step);
            // Who sends has seen the clock then.
            await until(() => isNear(readAhead(receiver), step),
              `metrics are ${readAhead(receiver)} ms ahead, by a clock that is ${step}`, 1500);
            await ask(step);
            const wanted = (steps.indexOf(step) + 1) * REQUESTS;
            await until(() => findTaken().filter(isServer).length === wanted,
              `of a clock that is ${step} ms ahead, not all spans came`, 1500);
          }
          child.kill('SIGINT');
        },
      });
      assert.equal(run.status, 0, run.stderr);
      assert.match(run.stderr, /HTTP 503/);
    });
    tookMs = performance.now() - tookMs;
    assert.ok(refused);
    checkSpans(findTaken(), steps);
    const told = requestsOf(metrics).length;
    assert.ok(told <= 2 * (tookMs / INTERVAL_MS) + 3, `metrics came ${told} times`);
  });

  it('of a program that is recorded', async () => {
    const steps = [0, HOUR_MS, -HOUR_MS];
    const folder = makeFolder();
    await serveByClock(async ({ program, clock, ask }) => {
      const args = ['record', '--trace', '-d', '1m', '-o', 'r.nd', String(program.pid)];
      const run = await runNodiag(args, {
        folder,
        env: clock.env,
        async onStart(child) {
          await untilTraced(program.pid);
          for (const step of steps) {
            clock.set(step);
            await ask(step);
            // Each second of a recording has one clock.
            await sleep(1500);
          }
          child.kill('SIGINT');
        },
      });
      assert.equal(run.status, 0, run.stderr);
    });
    const receiver = await receive();
    const args = ['export', '--signal', 'traces', '--endpoint', receiver.url, 'r.nd'];
    const run = await runNodiag(args, { folder });
    receiver.close();
    assert.equal(run.status, 0, run.stderr);
    checkSpans(receiver.requests.flatMap(({ body }) => readSpans(body)), steps);
  });
});
