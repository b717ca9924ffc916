// SPDX-License-Identifier: Apache-2.0

// What the options of a recording change.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';

import {
  line,
  needSampling,
  nodeOf,
  percent,
  programPath,
  record,
  runNodiag,
  start,
} from './harness.mjs';

needSampling();
const busy = await start('phases.cjs');
const waiting = await start('pool.cjs');
test.after(async () => {
  await busy.stop();
  await waiting.stop();
});

test('kernel frames are there unless they are not wanted', async () => {
  const isKernel = (frame) => frame.kind === 'kernel';
  const server = await start('http.cjs');
  const port = await server.ask('port');
  const stop = new AbortController();
  const load = (async () => {
    while (!stop.signal.aborted) await (await fetch(`http://127.0.0.1:${port}/page`)).text();
  })();
  let profile, without;
  try {
    profile = await record(server);
    without = await record(server, { flags: ['--no-kernel'] });
  } finally {
    stop.abort();
    await load;
    await server.stop();
  }
  if (profile.info.sampler === 'eBPF') {
    assert.ok(profile.share(isKernel) > 0.005, profile.table());
    const below = profile.stacks.filter(({ calls }) => calls.some(isKernel));
    assert.ok(below.every(({ calls }) => calls.slice(calls.findIndex(isKernel)).every(isKernel)));
  }
  assert.equal(without.share(isKernel), 0);
});

test('--idle shows how long the event loop waited', async () => {
  const isIdle = (frame) => frame.kind === 'idle';
  const profile = await record(waiting, { flags: ['--idle', '--threads'] });
  const main = profile.threads().find((thread) => thread.share(isIdle) > 0);
  assert.ok(main, profile.table());
  assert.ok(main.share(isIdle) > 0.9, main.table());
  const wall = profile.endMs - profile.startMs;
  assert.ok(Math.abs(main.total / 1e6 / wall - 1) < 0.2, `${main.total / 1e6} ms of ${wall} ms`);

  const without = await record(waiting);
  assert.equal(without.share(isIdle), 0);
});

/** CPU time of a process so far, in ms: fields 14 and 15 of its stat, in ticks of 10 ms. */
function cpuMs(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

test('the weight is CPU time, whatever the rate', async () => {
  // The process also runs while nodiag starts and ends: the part is below 1, and alike for both.
  const part = async (rate) => {
    const before = cpuMs(busy.pid);
    const profile = await record(busy, { rate });
    return profile.total / 1e6 / (cpuMs(busy.pid) - before);
  };
  const [slow, fast] = [await part(199), await part(1999)];
  const text = `${percent(slow)} and ${percent(fast)} of its CPU time`;
  assert.ok(slow > 0.7 && slow < 1.1 && Math.abs(slow - fast) < 0.15, text);
});

test('every format is written, with a table of what was hot', async () => {
  const begins = {
    html: /^<!doctype html>/i,
    svg: /^<\?xml|^<svg/,
    folded: /^[^\n]+ \d+\n/,
    pprof: /^\x1f\x8b/,
    speedscope: /^\{.*speedscope/s,
    cpuprofile: /^\{.*"nodes"/s,
    json: /^\{.*"nodiag-profile"/s,
  };
  for (const [format, begin] of Object.entries(begins)) {
    const run = await runNodiag(['flame', '-d', '1s', '-r', '499', '-f', format, String(busy.pid)]);
    assert.equal(run.status, 0, run.stderr);
    assert.equal(run.files.length, 1, format);
    assert.match(run.files[0], new RegExp(`^flame-${busy.pid}-[0-9-]+\\.`));
    assert.match(readFileSync(join(run.folder, run.files[0]), 'latin1'), begin);
    const lines = run.stdout.toString().trimEnd().split('\n');
    assert.equal(lines.at(-1), run.files[0], 'the last line is the path');
    assert.match(lines.join('\n'), /phases\.cjs/);
    assert.match(run.stderr, /\d+ samples at 499 Hz/);
  }
});

test('two processes at once', async () => {
  const flags = ['-d', '3s', '-r', '499', '-f', 'json', '-o', '-'];
  const run = await runNodiag(['flame', ...flags, String(busy.pid), String(waiting.pid)]);
  assert.equal(run.status, 0, run.stderr);
  const text = run.stdout.toString();
  assert.match(text, /phases\.cjs/);
  assert.match(text, /PBKDF2/i);
});

/** A command that goes on for long after the time is over, and says when it ends. */
const goesOn = ['sh', '-c', '"$@"; echo "it said $?"; exit 3', 'sh'];

test('-d ends the observation of a command, and not the command', async () => {
  const command = [...goesOn, nodeOf(line), programPath('exits.cjs'), '5000', '7'];
  const flame = await runNodiag(['flame', '-d', '500ms', '-o', 'x.html', '--', ...command]);
  assert.equal(flame.status, 3, flame.stderr);
  assert.match(flame.stdout.toString(), /x\.html\nit said 7\n$/);

  const stalls = [nodeOf(line), programPath('stalls.cjs'), '4000'];
  const lag = await runNodiag(['lag', '-d', '1s', '--', ...stalls]);
  assert.equal(lag.status, 0, lag.stderr);
  assert.match(lag.stdout.toString(), /blockLoop|spin/);
});
