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

/** What a look at a loop that never waits may miss at each end of a block: a tick of its CPU time. */
const TICK_MS = 11;

async function watchBlocks(args) {
  const program = await start(PROGRAM, { args });
  try {
    let done;
    const run = await runNodiag(['lag', '--json', '--threshold', '90ms', String(program.pid)], {
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

/** Each block's function must have been seen as often as it blocked, and for as long. */
function assertBlock(stalls, name, done, slackMs) {
  const { kinds, text: place } = expected[name];
  const rounds = done.blocks.filter((block) => block.name === name);
  const mine = stalls.filter((stall) => stall.function?.name === rounds[0].function);
  const ms = (sum, block) => sum + block.ms;
  const seen = mine.reduce((sum, stall) => sum + stall.total_ns / 1e6, 0);
  const waited = rounds.reduce((sum, block) => sum + block.waitedMs, 0);
  const truth = rounds.reduce(ms, 0);
  const text = `${name}: ${seen.toFixed(1)} ms, by its clock ${truth.toFixed(1)} ms`;
  const count = mine.reduce((sum, stall) => sum + stall.count, 0);
  console.log(text);
  assert.equal(count, ROUNDS, `${text}\n${describe(stalls, done)}`);
  assert.ok(seen > truth - ROUNDS * slackMs, `${name}: ${seen} ms of ${truth}`);
  assert.ok(seen < truth + ROUNDS * slackMs + waited + truth / 10, `${name}: ${seen} of ${truth}`);
  for (const stall of mine) {
    if (stall.kind === 'descheduled') assert.ok(waited > 0.3 * truth, `${name} had a CPU`);
    else assert.ok(kinds.includes(stall.kind), `${name}: ${stall.kind}`);
    assert.equal(stall.function.file, programPath(PROGRAM));
    const first = lineOf(PROGRAM, `function ${stall.function.name}()`);
    const { line: seenLine } = stall.function;
    assert.ok(seenLine >= first && seenLine <= lineOf(PROGRAM, place) + 1, `${name}:${seenLine}`);
  }
}

function assertBlocks({ lag, done, stderr }, slackMs) {
  const names = new Set(done.blocks.map((block) => block.function));
  const others = lag.stalls.filter((stall) => !names.has(stall.function?.name));
  // A loop that had no CPU was late, whatever it was about to do; and V8 collects when it likes to.
  const invented = others.filter(({ kind }) => kind !== 'descheduled' && kind !== 'gc');
  assert.deepEqual(invented, [], describe(lag.stalls, done));
  for (const name of Object.keys(expected)) assertBlock(lag.stalls, name, done, slackMs);
  assert.match(stderr, /by eBPF.*\n.*the agent would add/);
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
  assertBlocks(seen, 5);
  assertUnknown(seen);
});

test('a loop that never waits, and is no stall for that', async () => {
  const seen = await watchBlocks(['busy']);
  assertBlocks(seen, 2 * TICK_MS);
  assert.ok(seen.lag.loops[0].iterations > 10_000 || Number(line) < 20);
});
