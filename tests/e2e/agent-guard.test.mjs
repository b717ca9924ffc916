// SPDX-License-Identifier: Apache-2.0

// The agent does no harm: not when the program ends, not when a reader goes, not when somebody has
// taken its place, and not when it is to leave.

import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import {
  agent,
  line,
  makeFolder,
  needNode,
  needRoot,
  nodeOf,
  percent,
  programPath,
  readAgent,
  runNodiag,
  start,
  succeed,
  threadsNamed,
  until,
} from './harness.mjs';
import { futureV8, patchNode } from './patch.mjs';

needNode();
needRoot('to be other users, and to attach');

const node = nodeOf(line);
// Nobody's number, and another for each line: its folder of sockets is at a fixed place.
const USER = 12300 + Number(line);
const sockets = makeFolder();
const env = { ...process.env, READ_AGENT: readAgent };
const preloaded = ['env', `LD_PRELOAD=${agent}`, `READ_AGENT=${readAgent}`];

/** Start the server, run `body`, and stop it. */
async function withServer(body, { as = preloaded, ...options } = {}) {
  const program = await start('agent/server.cjs', { as, warmUp: 200, ...options });
  try {
    await body(program, String(program.pid));
    assert.equal(program.child.exitCode, null, 'it is gone');
    assert.equal(await (await fetch(`http://127.0.0.1:${await program.ask('port')}`)).text(), 'hello');
  } finally {
    await program.stop();
  }
}

async function fails(args, status, what) {
  const run = await runNodiag(args);
  assert.equal(run.status, status, run.stderr);
  assert.match(run.stderr, what);
  return run;
}

function look(pid, ...args) {
  return JSON.parse(execFileSync(readAgent, [pid, ...args], { encoding: 'utf8' }).split('\n').at(-2));
}

/** Start a program that prints something when it has begun; `ended` is its status. */
async function startHelper(command, args) {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  child.ended = new Promise((done) => child.once('exit', done));
  await Promise.race([new Promise((done) => child.stdout.once('data', done)), child.ended]);
  assert.equal(child.exitCode, null, `${command} has ended`);
  return child;
}

/** A reader that has begun. */
function startReader(pid, ...args) {
  return startHelper(readAgent, [pid, ...args, '60']);
}

function field(pid, name) {
  return readFileSync(`/proc/${pid}/status`, 'utf8').match(`${name}:\\s*(\\S+)`)[1];
}

function timersOf(pid) {
  return readFileSync(`/proc/${pid}/timers`, 'utf8').match(/^ID:/gm)?.length ?? 0;
}

// Ends of the program

const ways = Object.keys({
  falls: 0, exits: 0, exitsInImmediate: 0, exitsWithWorker: 0, exitsInWorker: 0, throwsInWorker: 0,
  terminatesWorker: 0, throws: 0, rejects: 0, throwsAndGoesOn: 0, handlesTerm: 0, term: 0,
  interrupt: 0, aborts: 0, kills: 0,
});

for (const way of ways) {
  test(`a program that ${way}`, () => {
    const folder = makeFolder();
    const run = (more) => {
      const args = ['--no-warnings', programPath('agent/ends.cjs'), way];
      const done = spawnSync(node, args, { cwd: folder, encoding: 'utf8', env: { ...env, ...more } });
      // Addresses of libraries, and of what V8 compiled, change from run to run.
      const stderr = done.stderr.replace(/0x7[0-9a-f]{11}\b/g, '0x7');
      return [done.status, done.signal, done.stdout, stderr];
    };
    const plain = run({});
    assert.deepEqual(run({ LD_PRELOAD: agent, NODIAG_SOCKET: sockets }), plain);
    if (plain[1] === null) assert.deepEqual(readdirSync(sockets), [], 'its socket is removed');
  });
}

test('a process that is killed while it is watched', async () => {
  const program = await start('agent/server.cjs', { as: preloaded, warmUp: 200 });
  await program.ask('mix');
  const run = await succeed(['lag', '--json', '-d', '1m', String(program.pid)], {
    onStart: async () => {
      await sleep(1000);
      await program.stop();
    },
  });
  const [main] = JSON.parse(run.stdout).loops;
  assert.ok(main.iterations > 10, run.stdout.toString());
  assert.ok(main.phases_ns.timers > 0);
  assert.match(run.stderr, /the process ended/);
});

test('nodiag lag ends with a command that is killed', async () => {
  const run = await runNodiag(['lag', '--json', '--', node, programPath('agent/ends.cjs'), 'kills']);
  assert.equal(run.status, 137, run.stderr);
  assert.ok(JSON.parse(run.stdout.toString().replace(/^now\n/, '')).loops[0].iterations > 0);
});

// Readers

test('two readers', async () => {
  await withServer(async (program, pid) => {
    const first = await startReader(pid, 'stalls', '50');
    await fails(['lag', '-d', '300ms', pid], 1, /another nodiag is reading from/);
    assert.equal(look(pid).reason, 0, 'others may look');
    first.kill('SIGKILL');
    await until(() => {
      const { status } = spawnSync(readAgent, [pid, 'stalls', '50', '0.1']);
      return status === 0;
    }, 'the place is not free again');
  });
});

test('a reader that is killed', async () => {
  await withServer(async (program, pid) => {
    await program.ask('mix');
    const reader = await startReader(pid, 'cpu', '99');
    await until(() => timersOf(pid) === 1, 'no timer');
    reader.kill('SIGKILL');
    await until(() => timersOf(pid) === 0, 'the timer is still there');
    // Only its socket wakes the agent now, once it has done what it was about.
    let tries = 0;
    const [tid] = threadsNamed(pid, 'nodiag');
    const switches = () =>
      readFileSync(`/proc/${pid}/task/${tid}/status`, 'utf8').match(/\nvoluntary_ctxt.*/)[0];
    let before;
    do {
      before = switches();
      await sleep(300);
    } while (switches() !== before && tries++ < 10);
    assert.equal(switches(), before, 'something still wakes it');
  });
});

test('a program that has no descriptor left', async () => {
  await withServer(async (program, pid) => {
    await program.ask('fill');
    const [tid] = threadsNamed(pid, 'nodiag');
    const usedMs = () => readFileSync(`/proc/${pid}/task/${tid}/schedstat`, 'utf8').split(' ')[0] / 1e6;
    const reader = spawn(readAgent, [pid], { stdio: ['ignore', 'pipe', 'ignore'] });
    const ended = new Promise((done) => reader.once('exit', done));
    await sleep(100);
    const before = usedMs();
    await sleep(500);
    assert.ok(usedMs() - before < 100, 'it asks again and again');
    await program.ask('free');
    assert.equal(await ended, 0, 'it was let in');
  }, { as: ['prlimit', '--nofile=200', ...preloaded] });
});

/** What Node and the agent say of the main loop at the same moment: before and after, in between. */
async function takeUtilization(program, pid) {
  for (let tries = 0; tries < 50; tries++) {
    const first = await program.ask('utilization');
    const { now_ns: now, slots } = look(pid);
    const last = await program.ask('utilization');
    const main = slots.find((slot) => slot.kind === 'main');
    const part = (now - first.atNs) / (last.atNs - first.atNs);
    const between = (key) => first[key] + (last[key] - first[key]) * part;
    const lasting = (since) => (since ? now - since : 0);
    if (last.atNs - first.atNs > 50e6) continue;
    return {
      theirs: { busy: between('busy'), idle: between('idle') },
      ours: {
        busy: main.busy_ns + lasting(main.busy_since_ns),
        idle: main.idle_ns + lasting(main.idle_since_ns),
      },
    };
  }
  return assert.fail('the machine is too busy');
}

// Without spawnSync(): after it, libuv loses the idle time of a wait that ends with EINTR.
test("Node's own loop utilization", async () => {
  await withServer(async (program, pid) => {
    await program.ask('mix');
    const before = await takeUtilization(program, pid);
    await sleep(4000);
    const after = await takeUtilization(program, pid);
    const share = (who) => {
      const busy = after[who].busy - before[who].busy;
      return busy / (busy + after[who].idle - before[who].idle);
    };
    const [theirs, ours] = [share('theirs'), share('ours')];
    console.log(`by Node ${percent(theirs)}, by the agent ${percent(ours)}`);
    assert.ok(theirs > 0.2 && theirs < 0.98, 'not mixed');
    assert.ok(Math.abs(theirs - ours) < 0.01);
  });
});

// Its place is taken

for (const [name, squat] of Object.entries({
  'is of another user': (path) => {
    mkdirSync(path, { mode: 0o700 });
    chownSync(path, USER + 1, USER + 1);
  },
  'may be entered by others': (path) => {
    mkdirSync(path);
    chmodSync(path, 0o755);
  },
  'is a link': (path) => {
    mkdirSync(`${path}-other`, { mode: 0o700 });
    chownSync(`${path}-other`, USER, USER);
    symlinkSync(`${path}-other`, path);
  },
})) {
  test(`a folder for sockets that ${name}`, async () => {
    const folder = `/tmp/nodiag-${USER}`;
    const log = join(makeFolder(), 'log');
    chmodSync(join(log, '..'), 0o777);
    rmSync(folder, { force: true, recursive: true });
    squat(folder);
    try {
      const as = ['setpriv', `--reuid=${USER}`, `--regid=${USER}`, '--clear-groups', ...preloaded,
        `NODIAG_LOG=${log}`];
      await withServer(async (program, pid) => {
        await fails(['detach', pid], 3, /there is no agent/);
        assert.match(readFileSync(log, 'utf8'), /no socket/);
      }, { as });
      assert.deepEqual(readdirSync(folder), []);
    } finally {
      rmSync(folder, { force: true, recursive: true });
      rmSync(`${folder}-other`, { force: true, recursive: true });
    }
  });
}

test('a server that began as root', async () => {
  await withServer(async (program, pid) => {
    await program.ask('setuid', String(USER));
    const run = await succeed(['lag', '--json', '-d', '1s', '--threshold', '100ms', pid], {
      onStart: async () => {
        await sleep(400);
        await program.ask('block', '300');
      },
    });
    const [stall] = JSON.parse(run.stdout).stalls;
    assert.equal(stall.function?.name, 'spin', run.stdout.toString());
  });
});

// Attach and detach

async function detach(pid) {
  await succeed(['detach', pid]);
  // Its last act is the answer.
  await until(() => threadsNamed(pid, 'nodiag').length === 0, 'its thread is still there');
}

/** After a detach, nothing of the process is other than it was. */
function stateOf(pid) {
  return {
    timers: timersOf(pid),
    threads: threadsNamed(pid, 'nodiag').length,
    caught: field(pid, 'SigCgt'),
    ignored: field(pid, 'SigIgn'),
    tracer: field(pid, 'TracerPid'),
  };
}

test('attach twice is one agent, and detach leaves nothing', async () => {
  await withServer(async (program, pid) => {
    const before = stateOf(pid);
    await succeed(['attach', pid]);
    const again = await succeed(['attach', pid]);
    assert.match(again.stderr, /there already/);
    assert.equal(threadsNamed(pid, 'nodiag').length, 1);
    assert.notEqual(field(pid, 'SigCgt'), before.caught);
    await program.ask('port');
    await detach(pid);
    assert.deepEqual(stateOf(pid), before);
    await fails(['detach', pid], 3, /there is no agent/);
    await succeed(['attach', pid]);
    await program.ask('port');
    const [, main] = look(pid).slots;
    assert.equal(main.kind, 'main');
    await program.ask('port');
    assert.ok(look(pid).slots[1].iterations > main.iterations, 'it counts again');
  }, { as: preloaded.filter((word) => !word.startsWith('LD_PRELOAD')) });
});

test('detach from a busy program', async () => {
  await withServer(async (program, pid) => {
    await program.ask('mix');
    const reader = await startReader(pid, 'stalls', '10');
    await sleep(300);
    await detach(pid);
    assert.equal(stateOf(pid).timers, 0);
    assert.equal(await reader.ended, 0, 'the reader ends');
  });
});

test('detach from a program that does not come round, and in the middle of another', async () => {
  await withServer(async (program, pid) => {
    await program.ask('sleep', '2500');
    await sleep(100);
    const detached = detach(pid);
    await sleep(300);
    await fails(['attach', pid], 1, /is being detached/);
    await fails(['lag', '-d', '300ms', pid], 1, /is being detached/);
    await detached;
  });
});

test('an idle loop that is stopped and continued between attach and detach', async () => {
  await withServer(async (program, pid) => {
    for (let i = 0; i < 3; i++) {
      await succeed(['attach', pid]);
      // Ends the wait in epoll, after which libuv waits again, without a closing phase.
      process.kill(program.pid, 'SIGSTOP');
      await until(() => field(pid, 'State') === 'T', 'it does not stop');
      process.kill(program.pid, 'SIGCONT');
      await until(() => field(pid, 'State') === 'S', 'it does not go on');
      await succeed(['detach', pid]);
    }
  });
});

test('attach to a process that is stopped', async () => {
  await withServer(async (program, pid) => {
    process.kill(program.pid, 'SIGSTOP');
    await until(() => field(pid, 'State') === 'T', 'it does not stop');
    const run = await fails(['attach', pid], 1, /is stopped/);
    assert.match(run.stderr, /hint: kill -CONT/);
    process.kill(program.pid, 'SIGCONT');
    await succeed(['attach', pid]);
    process.kill(program.pid, 'SIGSTOP');
    await until(() => field(pid, 'State') === 'T', 'it does not stop');
    const lag = await fails(['lag', '-d', '1s', pid], 1, /is stopped by a signal, and so is the agent/);
    assert.match(lag.stderr, /hint: kill -CONT/);
    await succeed(['stack', pid]);
    process.kill(program.pid, 'SIGCONT');
  }, { as: ['env', `READ_AGENT=${readAgent}`] });
});

test('attach to a process that somebody else traces', async () => {
  await withServer(async (program, pid) => {
    const tracer = await startHelper(process.env.ND_TRACE, [pid]);
    const run = await runNodiag(['attach', pid]);
    tracer.stdin.end();
    await tracer.ended;
    assert.equal(run.status, 4, run.stderr);
    assert.match(run.stderr, new RegExp(`traced by process ${tracer.pid} \\(trace\\)`));
    assert.equal(field(pid, 'TracerPid'), '0');
    await succeed(['attach', pid]);
  }, { as: ['env', `READ_AGENT=${readAgent}`] });
});

// What else is in the process

test('the channel stays out of core dumps', async () => {
  await withServer(async (program, pid) => {
    const maps = readFileSync(`/proc/${pid}/smaps`, 'utf8').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
    const ours = maps.filter((map) => map.includes('/memfd:nodiag '));
    assert.equal(ours.length, 1);
    assert.match(ours[0], /VmFlags:.* dd\b/);
  });
});

// Before, V8 also checks a sum over its snapshot.
if (Number(line) >= 22) {
  test('a V8 of the future', async () => {
    const folder = makeFolder();
    const log = join(folder, 'log');
    const future = patchNode(node, join(folder, 'node'), ...futureV8(node));
    const as = [...preloaded, `NODIAG_LOG=${log}`];
    await withServer(async (program, pid) => {
      const UNKNOWN_V8 = 1;
      assert.equal(look(pid).reason, UNKNOWN_V8);
      assert.match(readFileSync(log, 'utf8'), /reason 1\n/);
      assert.equal(readFileSync(log, 'utf8').split('\n').length, 2, 'one line');
      const run = await succeed(['lag', '-d', '300ms', pid]);
      assert.match(run.stderr, /not tested with its V8/);
      await program.ask('gc');
      assert.equal(look(pid).slots.find((slot) => slot.kind === 'main').gcs, 0);
    }, { as, node: future, nodeFlags: ['--expose-gc'] });
  });
}

test('a child that was forked, and that became no other program', async () => {
  let child;
  try {
    const program = await start('agent/server.cjs', {
      as: [...preloaded, `ND_FORK=${process.env.ND_FORK}`],
      warmUp: 200,
    });
    await program.ask('mix');
    const run = await succeed(['lag', '--json', '-d', '1m', String(program.pid)], {
      onStart: async () => {
        await sleep(500);
        // It has the reader's connection too, which tells the reader of the end otherwise.
        child = await program.ask('fork', '60');
        assert.equal(threadsNamed(child, 'nodiag').length, 0);
        await fails(['detach', String(child)], 3, /there is no agent/);
        await sleep(500);
        await program.stop();
      },
    });
    assert.match(run.stderr, /the process ended/);
    assert.ok(JSON.parse(run.stdout).loops[0].iterations > 10);
  } finally {
    if (child) process.kill(child, 'SIGKILL');
  }
});
