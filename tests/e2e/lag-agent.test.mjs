// SPDX-License-Identifier: Apache-2.0

// With the agent in the process each block of its event loop is seen exactly: its time, its phase, the
// function and line, and the way it blocked; and nothing else is.

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { before } from 'node:test';

import { agent, lineOf, needNode, needRoot, programPath, runNodiag, start, until } from './harness.mjs';

needNode();
needRoot('to limit the CPU time of a program');

const PROGRAM = 'block.cjs';

/** What a turn of the loop may take beside the block: the program's clock only knows the block. */
const TIMERS_MS = 2;
const OTHER_PHASES_MS = 10;

/** How a block of block.cjs may look, and its last line. */
const expected = {
  // It may be caught while V8 thinks about compiling it.
  js: { kinds: ['js', 'native', 'compile'], text: 'for (let i = 0' },
  regexp: { kinds: ['regexp'], text: '.test(' },
  json: { kinds: ['native', 'js'], text: 'JSON.parse(text)' },
  pbkdf2: { kinds: ['native'], text: 'pbkdf2Sync(' },
  compile: { kinds: ['compile'], text: 'new vm.Script(' },
  gc: { kinds: ['gc'], text: 'do gc()' },
  exec: { kinds: ['syscall'], text: 'execSync(`' },
  wait: { kinds: ['syscall'], text: 'Atomics.wait(' },
  read: { kinds: ['syscall'], text: 'fs.readSync(' },
};

/** What is done for the first time may take 30 ms, where the machine has to fetch the code from a disk. */
before(async () => {
  const program = await start(PROGRAM, { as: ['env', `LD_PRELOAD=${agent}`], warmUp: 300 });
  for (const phase of ['timers', 'poll', 'check', 'close']) await program.ask('blockAt', phase, 1);
  await program.stop();
});

/** Run `body` beside `nodiag lag` of the program with the agent, and return both answers. */
async function watch(thresholdMs, body) {
  const program = await start(PROGRAM, { as: ['env', `LD_PRELOAD=${agent}`], warmUp: 300 });
  try {
    let done;
    const flags = ['-d', '1m', '--json', '--threshold', `${thresholdMs}ms`];
    const run = await runNodiag(['lag', ...flags, String(program.pid)], {
      onStart: async (child) => {
        await new Promise((resolve) => setTimeout(resolve, 500));
        done = await body(program);
        child.kill('SIGINT');
      },
    });
    assert.equal(run.status, 0, run.stderr);
    return { stalls: JSON.parse(run.stdout).stalls, done, stderr: run.stderr };
  } finally {
    await program.stop();
  }
}

function describe({ stalls, done, stderr }) {
  const seen = stalls.map(({ kind, phase, count, total_ns, function: f, in: callee }) =>
    [kind, phase, count, total_ns / 1e6, f?.name, f?.line, callee?.name].join(' '),
  );
  return [...seen, ...done.blocks.map((block) => JSON.stringify(block)), stderr].join('\n');
}

/**
 * Whether a block had no CPU for so long that its stack may be another one. The turn of the loop, which
 * is what is seen, begins before the block and ends after it, and may lose the CPU there as well.
 */
const isStarved = ({ ms, aroundMs }) => aroundMs > 0.2 * ms;

/**
 * The compiler may wait for a helper of V8's, which on a busy machine has no CPU: then it slept. And
 * where a block of the program lost the CPU, so did the agent's thread, which then counts what any block
 * waited from long before it.
 */
function isOfKind({ kind, in: callee }, kinds, blocks) {
  if (kind === 'syscall' && callee?.name === '(compiler)') return true;
  return kinds.includes(kind) || (kind === 'descheduled' && blocks.some(isStarved));
}

/** What a busy machine adds between two looks at the clock, of the time that lies between them. */
const CLOCK_SHARE = 0.002;

/** A block must be one stall, of the function that blocked, with its time, line, kind and phase. */
function assertSeen(seen, block, phase, slackMs) {
  const { kinds, text: place } = expected[block.name];
  const mine = seen.stalls.filter((stall) => stall.function?.name === block.function);
  const [stall] = mine;
  const why = `${block.name} of ${block.ms.toFixed(1)} ms\n${describe(seen)}`;
  if (isStarved(block) && mine.length !== 1) return;
  assert.equal(mine.length, 1, why);
  assert.equal(stall.count, 1, why);
  const off = stall.total_ns / 1e6 - block.ms;
  console.log(`${block.name}: ${block.ms.toFixed(2)} ms, off by ${off.toFixed(2)}`);
  const most = Math.max(slackMs, block.besideMs) + block.aroundMs + block.ms * CLOCK_SHARE;
  assert.ok(off > -0.1 && off < most, why);
  assert.ok(isStarved(block) || isOfKind(stall, kinds, seen.done.blocks), `${stall.kind}: ${why}`);
  assert.equal(stall.phase, phase, why);
  assert.equal(stall.function.file, programPath(PROGRAM));
  const first = lineOf(PROGRAM, `function ${block.function}()`);
  const { line } = stall.function;
  assert.ok(line >= first && line <= lineOf(PROGRAM, place) + 1, `line ${line}: ${why}`);
}

/**
 * Of blocks with a single stack one may be missed: V8 may move a function before it has its name. On a
 * machine where a block lost the CPU, the agent's thread may have looked at another when it was over.
 */
function assertAllSeen(seen, phase, slackMs, mayMiss) {
  const failures = seen.done.blocks.flatMap((block) => {
    try {
      assertSeen(seen, block, phase, slackMs);
      return [];
    } catch (error) {
      return [error];
    }
  });
  const mayMissBusy = seen.done.blocks.some(isStarved) ? 1 : 0;
  if (failures.length > mayMiss + mayMissBusy) throw failures[0];
  for (const failure of failures) console.log(failure.message);
}

/** Whatever else was late had no CPU, or V8 chose to collect, or is a block that has lost its stack. */
function assertNoneInvented(seen) {
  const names = new Set(seen.done.blocks.map((block) => block.function));
  const others = seen.stalls.filter((stall) => !names.has(stall.function?.name));
  const invented = others.filter(({ kind }) => kind !== 'descheduled' && kind !== 'gc');
  const isSeen = (block) => seen.stalls.some((stall) => stall.function?.name === block.function);
  const lost = seen.done.blocks.filter((block) => !isSeen(block)).length;
  const unnamed = invented.filter((stall) => !stall.function);
  assert.deepEqual(invented.filter((stall) => stall.function), [], describe(seen));
  assert.ok(unnamed.length <= lost, describe(seen));
}

for (const ms of [5, 20, 100, 500]) {
  test(`blocks of ${ms} ms`, async () => {
    const seen = await watch(Math.max(2, ms / 2), (program) => program.ask('blockAt', 'timers', ms));
    assert.equal(seen.done.blocks.length, Object.keys(expected).length);
    assertAllSeen(seen, 'timers', TIMERS_MS, ms < 20 ? 1 : 0);
    if (ms >= 20) assertNoneInvented(seen);
  });
}

test('blocks in the other phases', async () => {
  for (const phase of ['poll', 'check', 'close']) {
    const seen = await watch(25, (program) => program.ask('blockAt', phase, 50, 'js', 'wait'));
    for (const block of seen.done.blocks) assertSeen(seen, block, phase, OTHER_PHASES_MS);
    assertNoneInvented(seen);
  }
});

/** Files of a new control group that gives a fifth of a CPU; null where there can be none. */
function makeThrottle() {
  const v1 = '/sys/fs/cgroup/cpu';
  const v2 = '/sys/fs/cgroup';
  const isV1 = existsSync(join(v1, 'cpu.cfs_quota_us'));
  const group = join(isV1 ? v1 : v2, `nodiag-test-${process.pid}`);
  try {
    if (!isV1) writeFileSync(join(v2, 'cgroup.subtree_control'), '+cpu');
    mkdirSync(group);
    if (isV1) writeFileSync(join(group, 'cpu.cfs_quota_us'), '20000');
    else writeFileSync(join(group, 'cpu.max'), '20000 100000');
    return group;
  } catch (error) {
    console.log(`no control group for CPU time: ${error.message}`);
    return null;
  }
}

test('a loop that its control group gives no CPU', async (t) => {
  const group = makeThrottle();
  if (!group) return t.skip('there is no control group for CPU time');
  try {
    const seen = await watch(50, (program) => {
      writeFileSync(join(group, 'cgroup.procs'), String(program.pid));
      return program.ask('blockAt', 'timers', 400, 'js');
    });
    const [block] = seen.done.blocks;
    const stall = seen.stalls.find(({ function: f }) => f?.name === block.function);
    assert.equal(stall?.kind, 'descheduled', describe(seen));
    const off = stall.total_ns / 1e6 - block.ms;
    assert.ok(off > -0.1 && off < 150, describe(seen));
  } finally {
    const isEmpty = () => readFileSync(join(group, 'cgroup.procs'), 'utf8') === '';
    await until(isEmpty, 'the program is gone');
    rmdirSync(group);
  }
});
