// SPDX-License-Identifier: Apache-2.0

// A process with the agent that asks for it by NODIAG_OUTPUT is recorded, with nobody having
// started nodiag; and it never notices, whatever becomes of the recording.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';

import {
  agent,
  line,
  makeFolder,
  needNode,
  needRoot,
  nodeOf,
  programPath,
  readProfile,
  runNodiag,
  start,
  until,
} from './harness.mjs';

needNode();
needRoot('to mount a full disk and one that is read-only');

const node = nodeOf(line);

/** The analyzer has a lower priority than all else on the machine: it may take its time. */
const eventually = (condition, what) => until(condition, what, 3000);

/** A folder for one test, with what a process needs to be recorded into it. */
function makeWorld(output = 'r.nd') {
  const folder = makeFolder();
  const sockets = makeFolder();
  const log = join(makeFolder(), 'log');
  const env = {
    LD_PRELOAD: agent,
    NODIAG_OUTPUT: output.startsWith('/') ? output : join(folder, output),
    NODIAG_SOCKET: sockets,
    NODIAG_LOG: log,
  };
  const as = ['env', ...Object.entries(env).map(([name, value]) => `${name}=${value}`)];
  const readLog = () => (existsSync(log) ? readFileSync(log, 'utf8') : '');
  return { folder, sockets, env, as, log: readLog };
}

/** The analyzers of a folder of sockets: those whose parent is not one too. */
function analyzersOf({ sockets }) {
  const pids = readdirSync('/proc').filter((pid) => {
    try {
      const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      const env = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
      return args[1] === 'collect' && env.includes(`NODIAG_SOCKET=${sockets}`);
    } catch {
      return false;
    }
  });
  return pids.filter((pid) => !pids.includes(parentOf(pid)));
}

function statusOf(pid, field) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return status.match(new RegExp(`^${field}:\\s*(\\S+)`, 'm'))[1];
}

/** The process's log names the file. */
function assertLogged(world, pid, path) {
  assert.ok(world.log().includes(`nodiag-agent ${pid}: recording into '${path}'\n`), world.log());
}

function parentOf(pid) {
  try {
    return statusOf(pid, 'PPid');
  } catch {
    return undefined;
  }
}

function assertLives({ pid }) {
  assert.match(statusOf(pid, 'State'), /^[RS]$/);
}

/** End what a test has left behind, which would wait for ten seconds more. */
function endAnalyzers(world) {
  for (const pid of analyzersOf(world)) process.kill(Number(pid), 'SIGKILL');
}

/** A test in a world of its own. */
function testWith(name, output, body) {
  test(name, async () => {
    const world = makeWorld(output);
    try {
      await body(world);
    } finally {
      endAnalyzers(world);
    }
  });
}

/** Whether the file of that name is there, with its end. */
function isWhole({ folder }, name) {
  const path = join(folder, name);
  if (!existsSync(path) || statSync(path).size < 16) return false;
  return readFileSync(path).subarray(-16, -12).equals(Buffer.from('\x89NDe', 'latin1'));
}

const untilWhole = (world, name) => eventually(() => isWhole(world, name), `${name} has no end`);

/** What the recording says: who blocked its loop, how often, and on its stacks by CPU time. */
async function answersOf({ folder }, name, blocker) {
  const lag = await runNodiag(['lag', '--json', name], { folder });
  assert.equal(lag.status, 0, lag.stderr);
  const { loops, stalls } = JSON.parse(lag.stdout);
  assert.equal(loops[0].kind, 'main');
  assert.match(stalls[0].function.name, blocker);
  const flame = await runNodiag(['flame', '-f', 'json', '-o', '-', name], { folder });
  const profile = readProfile(flame);
  assert.equal(profile.info.sampler, 'the agent');
  assert.ok(profile.samples > 0);
  return { loops, stalls, profile, notes: lag.stderr };
}

/** The agent gives it five seconds, in which there is other work to do. */
const lonely = makeWorld();
const waiting = await start('stalls.cjs', {
  as: [...lonely.as, 'NODIAG_ANALYZER=/bin/true'],
  warmUp: 0,
});

function runUnseen(env, times, ...args) {
  const run = spawnSync(node, [programPath('agent/unseen.cjs'), String(times), ...args], {
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, ...env },
  });
  assert.equal(run.status, 0, run.stderr);
  assert.equal(run.stderr, '');
  return run.stdout.trim().split('\n').map((text) => JSON.parse(text));
}

testWith('one process, which sees nothing of it', 'r.nd', async (world) => {
  const { NODIAG_OUTPUT, ...without } = world.env;
  const [plain] = runUnseen(without, 1);
  assert.deepEqual(analyzersOf(world), []);
  const [seen] = runUnseen(world.env, 10);
  assert.equal(seen.signals, 0);
  assert.equal(seen.children, '');
  assert.deepEqual(seen.env, ['LD_PRELOAD', 'NODIAG_OUTPUT', 'NODIAG_SOCKET']);
  // The analyzer talks to the agent, and that is all.
  const others = (fds) => fds.filter((link) => link !== 'socket');
  assert.deepEqual(others(seen.fds), others(plain.fds));
  assert.ok(seen.fds.length <= plain.fds.length + 2, `${seen.fds}`);

  await untilWhole(world, 'r.nd');
  const { loops, stalls, notes } = await answersOf(world, 'r.nd', /^(blockLoop|spin)$/);
  assert.doesNotMatch(notes, /has no end/);
  // All of its blocks are there, also those that it was not looked at in: from its start on.
  assert.ok(loops[0].stalls >= 10, JSON.stringify(loops[0]));
  assert.ok(stalls.reduce((sum, { count }) => sum + count, 0) >= 10, JSON.stringify(stalls));
  assertLogged(world, seen.pid, NODIAG_OUTPUT);

  const [analyzer] = analyzersOf(world);
  const folder = `/proc/${analyzer}/fd`;
  const fds = readdirSync(folder).map((fd) => readlinkSync(join(folder, fd)));
  assert.deepEqual(fds.filter((link) => /^pipe|^socket/.test(link)), []);
  assert.match(readFileSync(`/proc/${analyzer}/stat`, 'latin1'), /\) [SR] (\S+ ){15}5 /);
  assert.notEqual(statusOf(analyzer, 'NSsid'), statusOf('self', 'NSsid'));
  const env = readFileSync(`/proc/${analyzer}/environ`, 'latin1');
  assert.doesNotMatch(env, /LD_PRELOAD|NODIAG_OUTPUT/);
  assert.equal(readlinkSync(`/proc/${analyzer}/cwd`), '/');
});

testWith('several at a time have one analyzer, and a file each', 'r.nd', async (world) => {
  const first = await start('stalls.cjs', { as: world.as });
  const second = await start('stalls.cjs', { as: world.as });
  try {
    const name = `r-${second.pid}.nd`;
    await eventually(() => existsSync(join(world.folder, name)), `there is no ${name}`);
    assert.equal(analyzersOf(world).length, 1);
    assertLogged(world, second.pid, join(world.folder, name));
    // Somebody else may look at the file, and not at the process.
    const busy = await runNodiag(['lag', '-d', '1s', String(first.pid)]);
    assert.equal(busy.status, 1);
    assert.match(busy.stderr, /another nodiag is reading.*\nhint: NODIAG_OUTPUT has it recorded/);
  } finally {
    await Promise.all([first.stop(), second.stop()]);
  }
  // They were killed: what was in their rings is there, and so is the end.
  for (const name of ['r.nd', `r-${second.pid}.nd`]) {
    await untilWhole(world, name);
    await answersOf(world, name, /^(blockLoop|spin)$/);
  }
  assert.deepEqual(readdirSync(world.folder).sort(), [`r-${second.pid}.nd`, 'r.nd']);
});

testWith('a cluster', '%p.nd', async (world) => {
  const workers = runUnseen(world.env, 10, 'cluster');
  assert.equal(workers.length, 2);
  for (const { pid } of workers) {
    await untilWhole(world, `${pid}.nd`);
    await answersOf(world, `${pid}.nd`, /^(blockLoop|spin)$/);
  }
  await eventually(() => readdirSync(world.folder).length === 3, 'the primary has no file');
  assert.equal(analyzersOf(world).length, 1);
});

testWith('after one that was killed, the next process starts another', 'r.nd', async (world) => {
  const first = await start('stalls.cjs', { as: world.as });
  try {
    await eventually(() => existsSync(join(world.folder, 'r.nd')), 'it is not recorded');
    const [analyzer] = analyzersOf(world);
    process.kill(Number(analyzer), 'SIGKILL');
    await untilWhole(world, 'r.nd');
    await eventually(() => /nobody records.*gone$/m.test(world.log()), 'it is not said');
    const second = await start('stalls.cjs', { as: world.as });
    try {
      const again = analyzersOf(world);
      assert.equal(again.length, 1);
      assert.notEqual(again[0], analyzer);
      for (const { pid } of [first, second]) {
        const path = join(world.folder, `r-${pid}.nd`);
        await eventually(() => existsSync(path), `${pid} is not recorded`);
      }
    } finally {
      await second.stop();
    }
    assertLives(first);
  } finally {
    await first.stop();
  }
});

/** Run a program whose recording cannot be written, until its log says why. */
async function failToWrite(options, why) {
  const folder = makeFolder();
  const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder]);
  assert.equal(mount.status, 0, String(mount.stderr));
  const world = makeWorld(join(folder, 'r.nd'));
  try {
    const program = await start('stalls.cjs', { as: world.as });
    await eventually(() => why.test(world.log()), `it is not said: ${world.log()}`);
    assertLives(program);
    await program.stop();
  } finally {
    endAnalyzers(world);
    spawnSync('umount', [folder]);
  }
}

test('a full disk', () =>
  failToWrite('size=4k', /cannot write '.*\/r\.nd': no space left on device$/m));

test('a folder that cannot be written', () =>
  failToWrite('ro', /cannot write '.*\/r\.nd': read-only file system$/m));

testWith('programs that are not Node.js start nothing', 'r.nd', async (world) => {
  const env = { ...process.env, ...world.env };
  assert.equal(spawnSync('sh', ['-c', 'true & wait'], { env }).status, 0);
  assert.deepEqual(readdirSync(world.sockets), []);
});

testWith('an analyzer that is not there', 'r.nd', async (world) => {
  runUnseen({ ...world.env, NODIAG_ANALYZER: '/not/there' }, 1);
  assert.match(world.log(), /cannot start the analyzer '\/not\/there': No such file/);
  assert.deepEqual(readdirSync(world.folder), []);
});

test('one that runs by itself ends all recordings with it', async () => {
  const world = makeWorld();
  const { LD_PRELOAD, NODIAG_OUTPUT, NODIAG_LOG, ...rest } = world.env;
  const as = ['env', ...Object.entries(rest).map(([name, value]) => `${name}=${value}`)];
  let program;
  const run = await runNodiag(['collect'], {
    as,
    onStart: async (child) => {
      await eventually(() => existsSync(join(world.sockets, 'analyzer.lock')), 'it does not run');
      const second = await runNodiag(['collect'], { as });
      assert.equal(second.status, 1);
      assert.match(second.stderr, new RegExp(`runs already: process ${child.pid}$`, 'm'));
      program = await start('stalls.cjs', { as: world.as });
      await eventually(() => existsSync(join(world.folder, 'r.nd')), 'it is not recorded');
      child.kill('SIGTERM');
    },
  });
  try {
    assert.equal(run.status, 0, run.stderr);
    assert.equal(run.stdout.toString(), `${NODIAG_OUTPUT}\n`);
    assert.ok(isWhole(world, 'r.nd'));
    assert.deepEqual(analyzersOf(world), []);
  } finally {
    await program.stop();
  }
});

test('an analyzer that is started and does not come', async () => {
  const why = /nobody records this process: the analyzer did not come$/m;
  await eventually(() => why.test(lonely.log()), 'it is not said');
  assertLives(waiting);
  await waiting.stop();
});
