// SPDX-License-Identifier: Apache-2.0

// Without an agent in the process, each block of its event loop is seen from outside: how often, for
// how long, by which function, and in which way; and nothing else is.

import assert from 'node:assert/strict';
import test from 'node:test';

import { line, lineOf, needRoot, needSampling, programPath, runNodiag, start } from './harness.mjs';

needSampling();
needRoot('for eBPF');

const PROGRAM = 'block.cjs';
const ROUNDS = 2;

/** Blocks last for 120 ms, see block.cjs. */
const THRESHOLD_MS = 90;

/** What block.cjs says it did, and where, as nodiag calls it. */
const expected = {
  js: { kinds: ['js'], text: 'for (let i = 0' },
  regexp: { kinds: ['regexp'], text: '.test(' },
  json: { kinds: ['native', 'js'], text: 'JSON.parse(text)' },
  pbkdf2: { kinds: ['native'], text: 'pbkdf2Sync(' },
  compile: { kinds: ['compile'], text: 'new vm.Script(' },
  gc: { kinds: ['gc'], text: 'do gc()' },
  exec: { kinds: ['syscall'], text: 'execSync(`' },
  wait: { kinds: ['syscall'], text: 'Atomics.wait(' },
  read: { kinds: ['syscall'], text: 'fs.readSync(' },
};

/** What may be missed at an end of a block where the loop then polls without waiting: a tick. */
const TICK_MS = 11;

async function watchBlocks(args) {
  const program = await start(PROGRAM, { args });
  try {
    let done;
    const flags = ['-d', '1m', '--json', '--threshold', `${THRESHOLD_MS}ms`];
    const run = await runNodiag(['lag', ...flags, String(program.pid)], {
      onStart: async (child) => {
        await untilWatching(program.pid);
        done = await program.ask('block', ROUNDS);
        child.kill('SIGINT');
      },
    });
    assert.equal(run.status, 0, run.stderr);
    return { lag: JSON.parse(run.stdout), done, stderr: run.stderr };
  } finally {
    await program.stop();
  }
}

/** Nothing in the process tells that it is watched, so give nodiag the time that it needs. */
function untilWatching() {
  return new Promise((done) => setTimeout(done, 1500));
}

/** What was seen, and what there was, for a person who wonders. */
function describe(stalls, done) {
  const seen = stalls.map(({ kind, count, total_ns, function: f, in: callee }) =>
    [kind, count, total_ns / 1e6, f?.name, f?.line, callee?.name].join(' '),
  );
  return [...seen, ...done.blocks.map((b) => JSON.stringify(b)), `gaps ${done.gaps}`].join('\n');
}

/** Whether a block had no CPU for so much of its time that another function may stand for it. */
const isStarved = ({ ms, turnMs, waitedMs }) => waitedMs + turnMs - ms > 0.3 * turnMs;

/** Each block's function must have been seen as often as it blocked, and for as long. */
function assertBlock(stalls, name, done, slackMs) {
  const { kinds, text: place } = expected[name];
  const rounds = done.blocks.filter((block) => block.name === name);
  const mine = stalls.filter((stall) => stall.function?.name === rounds[0].function);
  const sum = (list, value) => list.reduce((total, item) => total + value(item), 0);
  const seen = sum(mine, (stall) => stall.total_ns / 1e6);
  const count = sum(mine, (stall) => stall.count);
  const truth = sum(rounds, (block) => block.ms);
  const most = sum(rounds, (block) => block.turnMs);
  const waited = sum(rounds, (block) => block.waitedMs);
  const text = `${name}: ${seen.toFixed(1)} ms, by its clock ${truth.toFixed(1)} ms`;
  console.log(text);
  const starved = rounds.filter(isStarved).length;
  assert.ok(count <= ROUNDS && count >= ROUNDS - starved, `${text}\n${describe(stalls, done)}`);
  if (count === ROUNDS) {
    assert.ok(seen > truth - ROUNDS * slackMs, text);
    assert.ok(seen < most + ROUNDS * slackMs + waited + truth / 10, text);
  }
  for (const stall of mine) {
    const all = describe(stalls, done);
    if (stall.kind === 'descheduled') assert.ok(starved > 0, `${name} had a CPU\n${all}`);
    else assert.ok(kinds.includes(stall.kind), `${name}: ${stall.kind}`);
    assert.equal(stall.function.file, programPath(PROGRAM));
    const first = lineOf(PROGRAM, `function ${stall.function.name}()`);
    const { line: seenLine } = stall.function;
    assert.ok(seenLine >= first && seenLine <= lineOf(PROGRAM, place) + 1, `${name}:${seenLine}`);
  }
}

function assertBlocks({ lag, done, stderr }, slackMs) {
  for (const name of Object.keys(expected)) assertBlock(lag.stalls, name, done, slackMs);
  assert.match(stderr, /by eBPF.*\n.*the agent would add/);
}

/** Whatever else was late had no CPU, or V8 chose to collect. */
function assertNoneInvented({ lag, done }) {
  const names = new Set(done.blocks.map((block) => block.function));
  const others = lag.stalls.filter((stall) => !names.has(stall.function?.name));
  const invented = others.filter(({ kind }) => kind !== 'descheduled' && kind !== 'gc');
  assert.deepEqual(invented, [], describe(lag.stalls, done));
}

/** The program saw each long turn of its loop itself. */
function assertGaps({ lag, done }, slackMs) {
  const gaps = done.gaps.filter((ms) => ms > THRESHOLD_MS - slackMs).length;
  const count = lag.loops[0].stalls;
  assert.ok(count <= gaps, `${count} of ${gaps}\n${describe(lag.stalls, done)}`);
}

function assertUnknown({ lag }) {
  const [loop] = lag.loops;
  assert.equal(lag.loops.length, 1);
  assert.equal(loop.kind, 'main');
  assert.equal(loop.phases_ns, null);
  assert.equal(loop.gc, null);
  assert.equal(loop.heap, null);
  // libuv counts events from the one of Node.js 20 on.
  assert.equal(loop.events === null, Number(line) < 20);
  for (const stall of lag.stalls) assert.equal(stall.phase, null);
}

test('a loop that waits between its blocks', async () => {
  const seen = await watchBlocks([]);
  assertBlocks(seen, TICK_MS);
  assertNoneInvented(seen);
  assertUnknown(seen);
});

test('a loop that never waits, and is no stall for that', async () => {
  const seen = await watchBlocks(['busy']);
  assertBlocks(seen, 2 * TICK_MS);
  assertGaps(seen, 2 * TICK_MS);
  assert.ok(seen.lag.loops[0].iterations > 10_000 || Number(line) < 20);
});
