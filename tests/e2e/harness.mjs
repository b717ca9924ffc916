// SPDX-License-Identifier: Apache-2.0

// Starts a program under one of the Node lines of package.json, runs nodiag on it, and makes sure
// that nodiag leaves nothing behind.
//
// Tests are programs of their own: `node NAME.test.mjs LINE`, with the path of nodiag in NODIAG.
// They exit with 77 after saying why they cannot run here.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { percent, Profile } from './profile.mjs';

export { percent };

const here = dirname(fileURLToPath(import.meta.url));

/** The Node line under test: "18" ... "26". */
export const line = process.argv[2] ?? '22';

export const nodiag = resolve(process.env.NODIAG ?? join(here, '../../build/dev/cli/nodiag'));

/** What LD_PRELOAD names, and a program that looks at the agent; see tests/tools/read_agent.c. */
export const agent = join(dirname(nodiag), '../agent/libnodiag-agent.so');
export const readAgent = join(dirname(nodiag), '../tests/tools/read_agent');

/** With so many samples a share of a third scatters by 1.2 points; tests allow 3. */
const ENOUGH_SAMPLES = 1500;

/** No run of nodiag in a test takes longer. */
const RUN_MS = 60_000;

/** How long programs run before they are recorded: until V8 has compiled what is hot. */
const WARM_UP_MS = 1200;

/** End the test as skipped. */
export function skip(reason) {
  console.log(`skipped: ${reason}`);
  process.exit(77);
}

/** Skip unless the line under test is there. */
export function needNode() {
  if (!existsSync(nodeOf(line))) skip(`no node${line}: run npm ci in tests/e2e`);
}

/** Skip unless this user may sample processes at all, and there is something to sample. */
export function needSampling() {
  needNode();
  if (process.getuid() === 0) return;
  const paranoid = Number(readFileSync('/proc/sys/kernel/perf_event_paranoid', 'utf8'));
  if (paranoid > 2) {
    skip(`kernel.perf_event_paranoid is ${paranoid}: only root may sample, or with 2`);
  }
}

export function needRoot(why) {
  if (process.getuid() !== 0) skip(`needs root ${why}`);
}

export function nodeOf(nodeLine) {
  return join(here, 'node_modules', `node${nodeLine}`, 'bin/node');
}

/** The path of a program for tests. */
export function programPath(name) {
  return join(here, 'programs', name);
}

/** The line, from 1, on which `text` first occurs in a program. */
export function lineOf(program, text) {
  const lines = readFileSync(programPath(program), 'utf8').split('\n');
  const index = lines.findIndex((candidate) => candidate.includes(text));
  assert.notEqual(index, -1, `'${text}' is not in ${program}`);
  return index + 1;
}

const running = new Set();
const folders = [];
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function spawnWatched(command, args, options) {
  const child = spawn(command, args, options);
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

/** A running program for tests. */
class Program {
  constructor(name, { args = [], node = nodeOf(line), nodeFlags = [], as = [] }) {
    // Even if this test is killed, the program ends with it.
    const command = ['--pdeathsig', 'KILL', ...as, node, ...nodeFlags, programPath(name), ...args];
    this.name = name;
    this.child = spawnWatched('setpriv', command, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.pid = this.child.pid;
    this.exited = new Promise((done) => this.child.once('exit', (status) => done(status)));
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  async readLine() {
    const { value, done } = await this.lines.next();
    if (done) throw new Error(`${this.name} ended with status ${await this.exited}`);
    return value;
  }

  /** Ask the program something; see programs/lib/control.cjs. */
  async ask(...words) {
    this.child.stdin.write(`${words.join(' ')}\n`);
    return JSON.parse(await this.readLine());
  }

  async stop() {
    this.child.kill('SIGKILL');
    await this.exited;
  }
}

/**
 * Start programs/NAME, and return when it is ready and warm.
 * @param {{args?: string[], node?: string, nodeFlags?: string[], as?: string[],
 *   warmUp?: number}} options
 *   `node`: another node than the line under test; `as`: a command that becomes the node
 */
export async function start(name, options = {}) {
  const program = new Program(name, options);
  assert.equal(await program.readLine(), 'ready');
  await sleep(options.warmUp ?? WARM_UP_MS);
  return program;
}

/** The threads of a process with that name. */
export function threadsNamed(pid, name) {
  return readdirSync(`/proc/${pid}/task`).filter((tid) => {
    try {
      return readFileSync(`/proc/${pid}/task/${tid}/comm`, 'utf8') === `${name}\n`;
    } catch {
      return false;
    }
  });
}

/** Wait for something that is about to happen, or that may take `tries` times 10 ms. */
export async function until(condition, what, tries = 500) {
  for (; tries > 0; tries--) {
    if (condition()) return;
    await sleep(10);
  }
  assert.fail(what);
}

/** Wait until all loops of a process follow requests, or say why they do not. */
export function untilTraced(pid) {
  return until(() => {
    const { stdout } = spawnSync(readAgent, [String(pid)], { encoding: 'utf8' });
    const loops = JSON.parse(stdout).slots.filter(
      ({ kind, state }) => kind !== 'agent' && state === 'live',
    );
    return loops.every(({ tracing }) => tracing !== 0);
  }, 'requests are not followed');
}

const NOBODY = 65534;

/** As the option `as` of runNodiag(): run nodiag without any privilege. */
export const asNobody = [
  'setpriv',
  `--reuid=${NOBODY}`,
  `--regid=${NOBODY}`,
  '--clear-groups',
  '--inh-caps=-all',
  '--bounding-set=-all',
];

/** A folder that is removed when the test ends. */
export function makeFolder(options = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'nodiag-e2e-'));
  if (options.as === asNobody) chownSync(folder, NOBODY, NOBODY);
  folders.push(folder);
  return folder;
}

/** Processes of a session that still run. */
function sessionMembers(session) {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
      const [state, , , sid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return Number(sid) === session && state !== 'Z';
    } catch {
      return false;
    }
  });
}

/**
 * Run nodiag in a folder of its own, with an empty folder for temporary files, and check that it
 * leaves neither temporary files nor processes behind.
 *
 * @param {string[]} args
 * @param {{folder?: string, as?: string[], stdio?: any[], env?: object, onStart?: Function,
 *   limitMs?: number}} options
 *   `as`: a command that runs nodiag for us, as another user for example; `env`: variables besides
 *   our own; `onStart(child)` is called once it runs.
 * @returns {Promise<{status: number, signal: string, stdout: Buffer, stderr: string,
 *   folder: string, files: string[]}>}
 */
export async function runNodiag(args, options = {}) {
  const { folder = makeFolder(options), as = [], env = {}, onStart } = options;
  const { stdio = ['ignore', 'pipe', 'pipe'], limitMs = RUN_MS } = options;
  const temporary = makeFolder(options);
  const [command, ...rest] = [...as, nodiag, ...args];
  const child = spawnWatched(command, rest, {
    cwd: folder,
    detached: true,
    env: { ...process.env, NO_COLOR: '1', TMPDIR: temporary, ...env },
    stdio,
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), limitMs);
  const exited = new Promise((done) => child.once('close', (...how) => done(how)));
  const output = Promise.all([readAll(child.stdout), readAll(child.stderr)]);
  await onStart?.(child);
  const [status, signal] = await exited;
  const [stdout, stderr] = await output;
  clearTimeout(timer);

  assert.deepEqual(readdirSync(temporary), [], 'nodiag left temporary files');
  assert.deepEqual(sessionMembers(child.pid), [], 'nodiag left processes');
  return { status, signal, stdout, stderr: stderr.toString(), folder, files: readdirSync(folder) };
}

/** The same of a run that must not fail. */
export async function succeed(args, options) {
  const run = await runNodiag(args, options);
  assert.equal(run.status, 0, run.stderr);
  return run;
}

async function readAll(stream) {
  const chunks = [];
  for await (const chunk of stream ?? []) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The profile that `nodiag flame -f json` wrote to stdout, or to a file of its folder. */
export function readProfile(run, file) {
  assert.equal(run.status, 0, `nodiag failed: ${run.stderr}`);
  return new Profile(JSON.parse(file ? readFileSync(join(run.folder, file)) : run.stdout));
}

/** One call of a stack as `nodiag stack --json` has it is a function of that program's. */
export function isCall(call, program, name) {
  return call.name === name && call.kind === 'js' && call.file.endsWith(`/${program}`);
}

/** The process that `nodiag stack --json` shows, whose run must have succeeded. */
export async function takeStacks(pid, options = {}) {
  const run = await runNodiag(['stack', '--json', ...(options.flags ?? []), String(pid)], options);
  assert.equal(run.status, 0, run.stderr);
  assert.match(run.stderr, /stopped for \d+\.\d ms/);
  const { format, version, processes } = JSON.parse(run.stdout);
  assert.deepEqual([format, version, processes.length], ['nodiag-stack', 1, 1]);
  assert.equal(processes[0].pid, Number(pid));
  return processes[0];
}

/** Of stacks that were taken, the one thread in that role. */
export function theOnly(stacks, role) {
  const threads = stacks.threads.filter((thread) => thread.role === role);
  assert.equal(threads.length, 1, `${threads.length} threads are ${role}`);
  return threads[0];
}

/**
 * Record a program with `nodiag flame`.
 * @param {{seconds?: number, rate?: number, flags?: string[]}} options `flags` are nodiag's
 */
export async function record(program, options = {}) {
  const { seconds = 2, rate = 997, flags = [] } = options;
  const common = ['-d', `${seconds}s`, '-r', `${rate}`, '-f', 'json', '-o', '-'];
  const run = await runNodiag(['flame', ...common, ...flags, String(program.pid)]);
  const profile = readProfile(run);
  profile.assertSound();
  return profile;
}

/** Start a program, record it, and stop it; options as of start() and record(). */
export async function recordProgram(name, options = {}) {
  const program = await start(name, options);
  try {
    return await record(program, options);
  } finally {
    await program.stop();
  }
}

/**
 * Start a program that knows the shares of its phases, record it, ask it, and stop it; see
 * programs/lib/truth.cjs.
 * @returns {Promise<{profile: Profile, truth: {rounds: number, shares: object}}>}
 */
export async function recordWithTruth(name, options = {}) {
  const program = await start(name, options);
  try {
    let profile = await record(program, options);
    // On a machine that is busy with other things: shares of few samples scatter by themselves.
    for (let tries = 0; profile.samples < ENOUGH_SAMPLES && tries < 3; tries++) {
      console.log(`only ${profile.samples} samples: recording again, for longer`);
      profile = await record(program, { ...options, seconds: 3 * (options.seconds ?? 2) });
    }
    const truth = await program.ask('report', profile.startMs, profile.endMs);
    assert.ok(truth.rounds > 20, `only ${truth.rounds} rounds are no truth`);
    return { profile, truth };
  } finally {
    await program.stop();
  }
}

/** A function's share must be within 3 points of what the program's two clocks say of its phase. */
export function assertTrue({ profile, truth }, phase, match) {
  const share = profile.share(match);
  const { wall, cpu } = truth.shares[phase];
  const text = `${phase}: ${percent(share)}, by its clocks ${percent(wall)} and ${percent(cpu)}`;
  console.log(text);
  const isTrue = share >= Math.min(wall, cpu) - 0.03 && share <= Math.max(wall, cpu) + 0.03;
  assert.ok(isTrue, `${text}\n${profile.table()}`);
}
