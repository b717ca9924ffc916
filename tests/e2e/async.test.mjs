// SPDX-License-Identifier: Apache-2.0

// `nodiag lag --async` and `record --async`: numbers and places of asynchronous resources are those
// of the program, which goes on as before; and the heap's spaces are there.

import assert from 'node:assert/strict';
import { AsyncResource } from 'node:async_hooks';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { agent, line, lineOf, makeFolder, needNode, runNodiag, start } from './harness.mjs';

needNode();

const FILE = 'async.cjs';
const here = dirname(fileURLToPath(import.meta.url));
const sockets = makeFolder();

async function withProgram(options, body) {
  const as = ['env', `LD_PRELOAD=${agent}`, `NODIAG_SOCKET=${sockets}`];
  const program = await start(FILE, { as, warmUp: 100, ...options });
  try {
    return await body(program);
  } finally {
    await program.stop();
  }
}

async function untilHooks(program, wanted) {
  for (let tries = 0; tries < 500; tries++) {
    if ((await program.ask('hooks')) === wanted) return;
    await sleep(20);
  }
  assert.fail(`hooks are ${wanted ? 'not there' : 'still there'}`);
}

/** Run nodiag until Ctrl-C, and let the program make its resources meanwhile. */
async function observe(program, args, settleMs = 50) {
  let made;
  const run = await runNodiag([...args, '-d', '50s', String(program.pid)], {
    onStart: async (child) => {
      await untilHooks(program, true);
      made = await program.ask('make');
      // Node.js tells of what ended when its loop comes round.
      await program.ask('hooks');
      await sleep(settleMs);
      child.kill('SIGINT');
    },
  });
  assert.equal(run.status, 0, run.stderr);
  return { ...run, made };
}

const typeOf = (async, name) => async.types.find(({ type }) => type === name);

function siteOf(type, text) {
  const wanted = lineOf(FILE, text);
  const sites = type.sites.filter((site) => site.line === wanted && site.file.endsWith(`/${FILE}`));
  assert.equal(sites.length, 1, `${text}: ${JSON.stringify(type.sites)}`);
  return sites[0];
}

function assertResources(async) {
  assert.deepEqual(async.threads.map(({ missing }) => missing), [null]);
  assert.deepEqual(async.losses, { resources: 0, sites: 0, types: 0, left_out: 0 });

  const timers = typeOf(async, 'Timeout');
  const leaked = siteOf(timers, '// leaked timer');
  assert.deepEqual([leaked.function, leaked.created, leaked.alive], ['leakTimers', 50, 50]);
  const short = siteOf(timers, '// short timer');
  assert.deepEqual([short.created, short.alive, short.ended], [21, 0, 21]);
  assert.ok(short.lifetime_ns.mean >= 10e6, `${short.lifetime_ns.mean} ns`);
  assert.equal(timers.sites[0], leaked, 'most alive first');

  const promises = typeOf(async, 'PROMISE');
  const forgotten = siteOf(promises, '// forgotten promise');
  assert.deepEqual([forgotten.created, forgotten.alive], [30, 30]);
  assert.ok(promises.ended >= 40, `${promises.ended} settled`);

  const files = siteOf(typeOf(async, 'FSREQCALLBACK'), '// file request');
  assert.deepEqual([files.created, files.alive], [40, 0]);
  const sockets = siteOf(typeOf(async, 'TCPWRAP'), '// kept socket');
  assert.deepEqual([sockets.created, sockets.alive], [5, 5]);
}

test('resources, where they were created, and none of the hooks afterwards', async () => {
  await withProgram({}, async (program) => {
    const run = await observe(program, ['lag', '--async', '--json']);
    assert.equal(run.made.store, 'kept');
    assertResources(JSON.parse(run.stdout).async);
    await untilHooks(program, false);
  });
});

test('again in one process, as text, with nothing of the first time', async () => {
  await withProgram({}, async (program) => {
    await observe(program, ['lag', '--async', '--json']);
    await untilHooks(program, false);
    const { stdout } = await observe(program, ['lag', '--async']);
    const row = `50 +50 .*leakTimers \\(.*/${FILE}:${lineOf(FILE, '// leaked timer')}:\\d+\\)`;
    assert.match(stdout.toString(), new RegExp(row));
  });
});

test('a recording has them too', async () => {
  await withProgram({}, async (program) => {
    const folder = makeFolder();
    await observe(program, ['record', '--async', '-o', `${folder}/r.nd`], 1200);
    const run = await runNodiag(['lag', '--json', `${folder}/r.nd`]);
    assert.equal(run.status, 0, run.stderr);
    assertResources(JSON.parse(run.stdout).async);
  });
});

test('workers are followed, and what they had is gone with them', async (t) => {
  if (line === '18') return t.skip('Node.js 18 has no modules for us there');
  await withProgram({ args: ['worker'] }, async (program) => {
    let stopped;
    const run = await runNodiag(['lag', '--async', '--json', '-d', '50s', String(program.pid)], {
      onStart: async (child) => {
        await untilHooks(program, true);
        await program.ask('make');
        await sleep(2500);
        stopped = await program.ask('stop');
        await sleep(300);
        child.kill('SIGINT');
      },
    });
    const { async } = JSON.parse(run.stdout);
    assert.equal(stopped, 1);
    assert.equal(async.threads.length, 2, JSON.stringify(async.threads));
    const timers = typeOf(async, 'Timeout');
    assert.equal(timers.alive, 0, JSON.stringify(timers));
  });
});

test('programs that allow less', async () => {
  const flags = ['--disallow-code-generation-from-strings', '--frozen-intrinsics'];
  if (Number(line) >= 24) flags.push('--permission', '--allow-fs-read=*');
  await withProgram({ nodeFlags: ['--no-warnings', ...flags] }, async (program) => {
    const run = await runNodiag(['lag', '--async', '--json', '-d', '1s', String(program.pid)]);
    assert.equal(run.status, 0, run.stderr);
    const { async } = JSON.parse(run.stdout);
    assert.deepEqual(async.threads.map(({ missing }) => missing), [null]);
  });
});

test('where it cannot be, it is said why, and the program has no hooks', async (t) => {
  if (line !== '20') return t.skip('only the permission model of Node.js 20 hides what is needed');
  const nodeFlags = ['--no-warnings', '--experimental-permission', '--allow-fs-read=*'];
  await withProgram({ nodeFlags }, async (program) => {
    const run = await runNodiag(['lag', '--async', '--json', '-d', '1s', String(program.pid)]);
    assert.equal(run.status, 0, run.stderr);
    assert.match(run.stderr, /not followed: the permission model/);
    const { async } = JSON.parse(run.stdout);
    assert.deepEqual(async.threads.map(({ missing }) => missing), ['hidden']);
    assert.equal(await program.ask('hooks'), false);
  });
});

test('a program without what the script needs may be asked again', async () => {
  await withProgram({ args: ['bare'] }, async (program) => {
    for (let i = 0; i < 2; i++) {
      const args = ['lag', '--async', '--json', '-d', '300ms', String(program.pid)];
      const run = await runNodiag(args);
      assert.equal(run.status, 0, run.stderr);
      const { async } = JSON.parse(run.stdout);
      assert.deepEqual(async.threads.map(({ missing }) => missing), ['failed']);
    }
    assert.equal(await program.ask('hooks'), false);
  });
});

test('a program that broke what the script needs goes on', async () => {
  await withProgram({ args: ['broken'] }, async (program) => {
    const run = await observe(program, ['lag', '--async', '--json']);
    assert.deepEqual(JSON.parse(run.stdout).async.threads.map(({ missing }) => missing), [null]);
    await untilHooks(program, false);
  });
});

// The agent's script alone, in this process, with a table for a thousand. Sums are in rows of six:
// created, alive, ended.
test('its table stays sound where ids collide, and says what finds no room', async () => {
  const [TYPES, SITES, SLOTS, BUCKETS] = [64, 8, 1024, 64];
  const offsets = [64, 128, 128 + TYPES * 48];
  offsets.push(offsets[2] + TYPES * BUCKETS * 4);
  offsets.push(offsets[3] + SITES * 40);
  const memory = new ArrayBuffer(offsets[4] + 2 * SLOTS * 32);
  new Uint32Array(memory, 0, 9).set([TYPES, SITES, SLOTS, BUCKETS, ...offsets]);
  const state = new Float64Array(memory, offsets[0], 5);
  const names = ['', 'Test'];
  const findType = (name) => (name === 'Test' ? 1 : names.push(name) - 1);
  const parts = ['binding.js', 'async.js'].map((name) => join(here, '../../agent', name));
  const body = parts.map((path) => readFileSync(path, 'utf8')).join('');
  const script = new Function('memory', 'findType', 'findSite', `${body} return toggle;`);
  const toggle = script(memory, findType, () => 1);
  const sums = (type) => [...new Float64Array(memory, offsets[1] + type * 48, 3)];
  const make = () => new AsyncResource('Test', { requireManualDestroy: true });
  const settle = async () => {
    await new Promise(setImmediate);
    await new Promise(setImmediate);
  };

  const before = make();
  assert.equal(toggle(true), 0);
  let random = 1;
  const alive = [];
  let created = 0;
  for (let round = 0; round < 100; round++) {
    for (; alive.length < 900; created++) alive.push(make());
    for (let i = 0; i < 150; i++) {
      random = (random * 48271) % 0x7fffffff;
      alive.splice(random % alive.length, 1)[0].emitDestroy();
    }
    await settle();
    assert.deepEqual(sums(1), [created, alive.length, created - alive.length]);
  }
  before.emitDestroy();
  for (let i = 0; i < 2000; i++, created++) alive.push(make());
  await settle();
  const lost = created - sums(1)[1] - sums(1)[2];
  assert.ok(lost > 500 && lost <= state[3], `${lost} of ${state[3]}`);
  for (const resource of alive) resource.emitDestroy();
  await settle();
  assert.deepEqual(sums(1), [created, 0, created - lost]);
  assert.equal(toggle(false), 0);
  make();
  assert.equal(sums(1)[0], created);
});

test('without an agent it is said what to do', async () => {
  const program = await start(FILE, { warmUp: 100 });
  try {
    const run = await runNodiag(['lag', '--async', '-d', '1s', String(program.pid)]);
    assert.equal(run.status, 3);
    assert.match(run.stderr, /hint: --async needs it: nodiag attach/);
  } finally {
    await program.stop();
  }
});

test("the heap's spaces and its buffers", async () => {
  await withProgram({ nodeFlags: ['--expose-gc'] }, async (program) => {
    await program.ask('fill');
    const run = await runNodiag(['lag', '--json', '-d', '300ms', String(program.pid)]);
    assert.equal(run.status, 0, run.stderr);
    const [{ heap }] = JSON.parse(run.stdout).loops;
    for (const name of ['new_space', 'old_space', 'code_space', 'large_object_space']) {
      assert.ok(heap.spaces[name].used_bytes <= heap.spaces[name].size_bytes, name);
    }
    assert.ok(heap.spaces.old_space.used_bytes > 1 << 20);
    assert.ok(heap.array_buffers_bytes >= 64 << 20, `${heap.array_buffers_bytes}`);
    assert.ok(heap.held_bytes >= heap.array_buffers_bytes, `${heap.held_bytes}`);
  });
});
