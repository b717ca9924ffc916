// SPDX-License-Identifier: Apache-2.0

// Whatever a process is stuck in, its stacks say so.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import {
  asNobody,
  isCall,
  line,
  lineOf,
  makeFolder,
  needRoot,
  needSampling,
  nodeOf,
  programPath,
  runNodiag,
  start,
  takeStacks,
  theOnly,
} from './harness.mjs';

needSampling();
needRoot('to look at processes as other users');

const FILE = 'stuck.cjs';
const NODE = Number(line);

/**
 * A look that says nothing of where the thread is stuck: V8 gives its helpers something to compile, or
 * changes what memory may be used for; or it is at one of the few instructions of OpenSSL's assembly
 * that keep the stack pointer where it is not looked for. On a busy machine it is there for long.
 */
const isPassing = ({ state, role, rootless }) => state === 'syscall' || (role === 'main' && rootless);

/** Start stuck.cjs, look at it, again where a look is a passing one, and stop it. */
async function stacksOf(how, options) {
  const program = await start(FILE, { args: [how], warmUp: 500, ...options });
  try {
    let stacks = await takeStacks(program.pid);
    for (let tries = 0; stacks.threads.some(isPassing) && tries < 5; tries++) {
      await sleep(200);
      stacks = await takeStacks(program.pid);
    }
    return stacks;
  } finally {
    await program.stop();
  }
}

function text({ stack }) {
  return stack.map(({ name, file, line: at }) => `${name} (${file}:${at})`).join('\n');
}

/** The thread runs `name`, at the line with that comment. */
function assertAt(thread, name, comment) {
  const call = thread.stack.find((candidate) => isCall(candidate, FILE, name));
  assert.ok(call, text(thread));
  assert.equal(call.line, lineOf(FILE, comment), text(thread));
  assert.ok(call.column > 1);
}

/** The stack is there to its root, and nothing in it is without a name that has one. */
function assertWhole(thread, root) {
  assert.equal(thread.missing, null);
  assert.equal(thread.truncated, false);
  assert.match(thread.stack.at(-1).name, root, text(thread));
  assert.ok(!thread.stack.some(({ kind }) => kind === 'unknown'), text(thread));
}

/** What a heading says where the machine was busy. */
const LATER = '( \\(\\d+ ms later\\))?';

const MAIN_ROOT = /^main$|^node::Start$/;
const WORKER_ROOT = /^node::worker::Worker::StartThread/;

test('an endless loop', async () => {
  const main = theOnly(await stacksOf('loop'), 'main');
  assert.equal(main.state, 'running');
  assertAt(main, 'loop', '// loop');
  assertWhole(main, MAIN_ROOT);
  const spin = main.stack.find((call) => isCall(call, FILE, 'spin'));
  assert.deepEqual(
    [spin.line, spin.definition.line],
    [lineOf(FILE, 'Math.random()'), lineOf(FILE, 'function spin()')],
  );
});

test('Atomics.wait in a worker, and the main thread waits for events', async () => {
  const stacks = await stacksOf('worker-wait');
  const worker = theOnly(stacks, 'worker');
  assert.deepEqual([worker.state, worker.syscall], ['waiting', 'futex']);
  assertAt(worker, 'waitForever', '// here');
  assertAt(worker, 'wait', '// wait');
  assertWhole(worker, WORKER_ROOT);
  if (NODE >= 24) assert.equal(worker.name, 'porter');

  const main = theOnly(stacks, 'main');
  assert.equal(main.state, 'waiting');
  assert.match(main.syscall, /^epoll_p?wait$/);
  assert.ok(main.stack.some(({ name }) => name === 'uv__io_poll'), text(main));
  assertWhole(main, MAIN_ROOT);
});

test('a native function that does not return', async () => {
  const main = theOnly(await stacksOf('derive'), 'main');
  assert.equal(main.state, 'running');
  assertAt(main, 'derive', '// derive');
  assert.ok(main.stack.slice(0, 12).some(({ name }) => /pbkdf2/i.test(name)), text(main));
  assertWhole(main, MAIN_ROOT);
});

test('a child process that does not end', async () => {
  const main = theOnly(await stacksOf('child'), 'main');
  assert.equal(main.state, 'waiting');
  assert.match(main.syscall, /^epoll_p?wait$/);
  assertAt(main, 'child', '// child');
  assertWhole(main, MAIN_ROOT);
});

test('a read from a pipe that nobody writes to', async () => {
  const main = theOnly(await stacksOf('read'), 'main');
  assert.deepEqual([main.state, main.syscall], ['waiting', 'read']);
  assert.equal(main.stack[0].name, 'read');
  assertAt(main, 'read', '// read');
  assertWhole(main, MAIN_ROOT);
});

for (const how of ['deep', 'worker-deep']) {
  test(`more frames than are kept: ${how}`, async () => {
    const role = how === 'deep' ? 'main' : 'worker';
    const thread = theOnly(await stacksOf(how), role);
    assert.equal(thread.truncated, true);
    assert.equal(thread.stack.at(-1).name, '[truncated]');
    const calls = thread.stack.filter((call) => isCall(call, FILE, 'descend'));
    assert.ok(calls.length > 1000, `${calls.length}`);
    assertAt(thread, 'descend', 'spin();');
  });
}

test('each thread has its role', async () => {
  const { threads } = await stacksOf('worker-loop');
  const counts = {};
  for (const { role } of threads) counts[role] = (counts[role] ?? 0) + 1;
  const { v8, ...rest } = counts;
  assert.deepEqual(rest, { main: 1, worker: 1, pool: 4, v8_delayed: 1, debug_signal: 1 });
  assert.ok(v8 >= 1);
  for (const thread of threads) {
    assert.equal(thread.missing, null);
    assert.equal(thread.stopped, false);
    if (!['main', 'worker'].includes(thread.role)) assert.equal(thread.state, 'waiting');
  }
});

// At a few instructions OpenSSL's assembly has no frame pointer and keeps the stack pointer where
// it is not looked for: such a stack ends there, and one of four may.
test("the pool's work", async () => {
  const { threads } = await stacksOf('pool');
  const pool = threads.filter(({ role, rootless }) => role === 'pool' && !rootless);
  assert.ok(pool.length >= 3, `${pool.length} threads are the pool's`);
  for (const thread of pool) {
    assert.equal(thread.state, 'running');
    assert.ok(thread.stack.some(({ name }) => /pbkdf2/i.test(name)), text(thread));
    assertWhole(thread, /^worker$/);
  }
});

test('garbage collection is told', async () => {
  const program = await start('gc.cjs', { nodeFlags: ['--expose-gc'], warmUp: 300 });
  let found;
  for (let tries = 0; tries < 60 && !found; tries++) {
    const { threads } = await takeStacks(program.pid);
    found = threads.find(({ work, role }) => work === 'gc' && ['main', 'v8'].includes(role));
  }
  await program.stop();
  assert.ok(found, 'nobody ever collected');
  assert.ok(found.stack.some(({ kind }) => kind === 'gc'), text(found));
});

test('for a person', async () => {
  const program = await start(FILE, { args: ['worker-loop'], warmUp: 500 });
  const { status, stdout, stderr } = await runNodiag(['stack', String(program.pid)]);
  await program.stop();
  assert.equal(status, 0, stderr);
  const answer = stdout.toString();
  assert.match(answer, new RegExp(`^process ${program.pid}: stuck.cjs, Node.js v${line}\\.`));
  const heading = `^main thread ${program.pid}: waiting in epoll_p?wait${LATER}$`;
  assert.match(answer, new RegExp(heading, 'm'));
  const place = `${programPath(FILE)}:${lineOf(FILE, '// loop')}`;
  assert.match(answer, new RegExp(`^    at loop \\(${place}:\\d+\\)  \\[`, 'm'));
  assert.match(answer, /^ {7}uv__io_poll {2}\[node\]$/m);
  // Idle threads of one kind are shown as one.
  assert.match(answer, /^4 libuv pool threads \(\d+, \d+, \d+, \d+\): waiting in futex/m);
  assert.equal(answer.match(/^\d+ V8 helpers|^V8 helper /gm).length, 1);
  assert.match(stderr, new RegExp(`^nodiag: ${program.pid}: \\d+ threads, stopped for `, 'm'));
});

test("another user's process, and one's own without privileges", async () => {
  const program = await start(FILE, { args: ['loop'], warmUp: 200 });
  const run = await runNodiag(['stack', String(program.pid)], { as: asNobody });
  await program.stop();
  assert.equal(run.status, 4, run.stderr);
  assert.match(run.stderr, /^nodiag: .*(permission denied|not permitted)$/m);
  assert.match(run.stderr, /^hint: .*sudo/m);
  assert.equal(run.stdout.length, 0);

  const own = await start(FILE, { args: ['loop'], as: asNobody, warmUp: 500 });
  const main = theOnly(await takeStacks(own.pid, { as: asNobody }), 'main');
  assertAt(main, 'loop', '// loop');
  await own.stop();
});

test('a stripped node', async () => {
  const stripped = join(makeFolder(), 'stripped');
  execFileSync('strip', ['-o', stripped, nodeOf(line)]);
  const stacks = await stacksOf('worker-wait', { node: stripped });
  const worker = theOnly(stacks, 'worker');
  assertAt(worker, 'waitForever', '// here');
  assertAt(worker, 'wait', '// wait');
});
