// SPDX-License-Identifier: Apache-2.0

// What all benchmarks share: options, processes that end with the benchmark, ratios in alternating
// runs, tables.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { availableParallelism, cpus, loadavg, release, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

export { sleep };

const here = dirname(fileURLToPath(import.meta.url));

const options = {
  line: { type: 'string', default: '22' },
  minutes: { type: 'string', default: '10' },
  only: { type: 'string' },
  results: { type: 'string', default: join(here, '../../build/bench-results') },
  rounds: { type: 'string', default: '5' },
  seconds: { type: 'string', default: '3' },
  size: { type: 'string', default: '20M,200M' },
  workload: { type: 'string', default: 'cpu,http' },
};

function parseOptions() {
  try {
    return parseArgs({ options }).values;
  } catch (err) {
    console.error(`bench: ${err.message}`);
    return process.exit(2);
  }
}

const values = parseOptions();

export const rounds = Number(values.rounds);

/** Length of a measured run. */
export const seconds = Number(values.seconds);

/** Length of a soak. */
export const minutes = Number(values.minutes);

export const workloads = values.workload.split(',');

/** Of heap snapshots. */
export const sizes = values.size.split(',');

export const isRoot = process.getuid() === 0;

const NOBODY = 65534;

/** A command that runs another one without privileges; the same user for all others. */
export const asNobody = isRoot
  ? [
      'setpriv',
      `--reuid=${NOBODY}`,
      `--regid=${NOBODY}`,
      '--clear-groups',
      '--inh-caps=-all',
      '--bounding-set=-all',
    ]
  : [];

export const nodiag = resolve(process.env.NODIAG ?? join(here, '../../build/release/cli/nodiag'));

/** What LD_PRELOAD names; a program that reads from the agent, and one for small measurements. */
export const agent = join(dirname(nodiag), '../agent/libnodiag-agent.so');
export const readAgent = join(dirname(nodiag), '../tests/tools/read_agent');
export const micro = join(dirname(nodiag), '../tests/bench/micro');

/** The node under test. */
export const node = join(here, `node_modules/node${values.line}/bin/node`);

/** A file of this folder, or of a package. */
export function ours(...path) {
  return join(here, ...path);
}

/** Of the ways to measure, those that --only asks for and that can be used here. */
export function choose(ways) {
  const wanted = values.only?.split(',') ?? Object.keys(ways);
  return Object.keys(ways).filter((name) => wanted.includes(name) && isUsable(name, ways[name]));
}

const told = new Set();

function isUsable(name, way) {
  const why = way.missing?.();
  if (why && !told.has(name)) console.error(`without ${name}: ${why}`);
  told.add(name);
  return !why;
}

// Processes and folders

const running = new Set();
const folders = new Set();

process.on('exit', () => {
  for (const child of running) kill(child, 'SIGKILL');
  for (const folder of folders) removeFolder(folder);
});
for (const [signal, status] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
]) {
  process.on(signal, () => process.exit(status));
}

/** Signal a child and what it started, if it runs. */
export function kill(child, signal) {
  if (!running.has(child)) return;
  try {
    process.kill(-child.pid, signal);
  } catch (err) {
    if (err.code !== 'ESRCH') throw err;
  }
}

/** A folder of its own, that nobody may write to as well; removed at the latest when we end. */
export function makeFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'nodiag-bench-'));
  folders.add(folder);
  if (isRoot) chownSync(folder, NOBODY, NOBODY);
  return folder;
}

export function removeFolder(folder) {
  rmSync(folder, { recursive: true, force: true });
  folders.delete(folder);
}

/** All files of a folder, with their sizes. */
export function listFiles(folder) {
  return readdirSync(folder, { recursive: true })
    .map((name) => ({ path: join(folder, name), stat: statSync(join(folder, name)) }))
    .filter(({ stat }) => stat.isFile())
    .map(({ path, stat }) => ({ path, bytes: stat.size }));
}

/**
 * Start a command in a group of its own, that ends with us.
 * @returns the child, with `ended`: a promise of { status, signal, stdout, text }, text being all
 *   that it said.
 */
export function start(argv, { cwd = tmpdir(), env = {} } = {}) {
  const clean = { ...process.env, NO_COLOR: '1', NO_INSIGHT: '1', NO_UPDATE_NOTIFIER: '1', ...env };
  delete clean.NODE_OPTIONS;
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...argv.map(String)], {
    cwd,
    detached: true,
    env: clean,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  const stdout = [];
  const said = [];
  child.stdout.on('data', (chunk) => stdout.push(chunk) && said.push(chunk));
  child.stderr.on('data', (chunk) => said.push(chunk));
  child.ended = new Promise((done) =>
    child.once('close', (status, signal) => {
      running.delete(child);
      done({ status, signal, stdout: Buffer.concat(stdout), text: String(Buffer.concat(said)) });
    }),
  );
  return child;
}

/**
 * A CPU for a program, and a prefix that gives the others to all that ask it or hear of it: else it
 * depends on these how many requests it finds at a time, and so what one of them costs.
 */
export const apart =
  availableParallelism() > 1
    ? { cpu: 0, loadAs: ['taskset', '-c', `1-${availableParallelism() - 1}`] }
    : { loadAs: [] };

/** A collector that looks at nothing. */
export async function startSink() {
  const child = start([...apart.loadAs, 'node', ours('programs/sink.mjs')]);
  const [port] = await once(child.stdout, 'data');
  return { child, url: `http://127.0.0.1:${String(port).trim()}` };
}

/** Wait for a child to end well, or by the signal that we sent it. */
export async function finish(child, sent = null) {
  const end = await child.ended;
  if (end.status === 0 || (sent && end.signal === sent)) return end;
  const command = child.spawnargs.slice(3).join(' ');
  throw new Error(`'${command}' ended with ${end.signal ?? end.status}: ${end.text.slice(-500)}`);
}

/** End a recording as Ctrl-C does. */
export function interrupt(child) {
  kill(child, 'SIGINT');
  return finish(child, 'SIGINT');
}

/** Run a command to its end. */
export function run(argv, options) {
  return finish(start(argv, options));
}

/**
 * Run a command to its end under GNU time.
 * @param {{onStart?: (pid: number) => Promise<void>}} options `onStart` is called with the
 *   command's pid
 * @returns {Promise<{seconds: number, cpuSeconds: number, peakMb: number}>}
 */
export async function runTimed(argv, { onStart, ...options } = {}) {
  const began = nowMs();
  const child = start(['/usr/bin/time', '-q', '-f', '%U %S %M', ...argv], options);
  await onStart?.(await waitForChild(child.pid));
  const { text } = await finish(child);
  const seconds = (nowMs() - began) / 1000;
  const [user, system, peakKb] = text.trim().split('\n').at(-1).split(' ').map(Number);
  return { seconds, cpuSeconds: user + system, peakMb: peakKb / 1024 };
}

async function waitForChild(pid) {
  for (let tries = 0; tries < 1000; tries++) {
    const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
    if (child) return Number(child);
    await sleep(1);
  }
  throw new Error(`process ${pid} started none`);
}

export function nowMs() {
  return Number(process.hrtime.bigint()) / 1e6;
}

// Figures

export function median(list) {
  const sorted = [...list].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Lists by name, to which figures are added round by round. */
export class Series {
  #lists = new Map();

  add(name, value) {
    this.#lists.set(name, [...(this.#lists.get(name) ?? []), value]);
  }

  get(name) {
    return this.#lists.get(name) ?? [];
  }
}

/** What is done about a way that fails: it is told, and left out of the round. */
export function tellFailed(name) {
  return (err) => console.error(`${name} failed: ${err.message}`);
}

/**
 * Measure each way between two plain runs, and add its ratio to their mean to `ratios`. The order
 * changes with the round.
 * @param {(name: string | undefined) => Promise<number>} measure a way, or the plain program
 */
export async function bracket(names, round, measure, ratios) {
  if (!names.length) return;
  const shift = round % names.length;
  let before = await measure();
  for (const name of [...names.slice(shift), ...names.slice(0, shift)]) {
    const value = await measure(name).catch(tellFailed(name));
    const after = await measure();
    if (value !== undefined) ratios.add(name, (2 * value) / (before + after));
    before = after;
  }
}

function formatNumber(number) {
  const size = Math.abs(number);
  return number.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 3);
}

/* Figures are shown as "MEDIAN [LEAST..MOST]". */
function formatCell(cell) {
  if (typeof cell === 'number') return formatNumber(cell);
  if (!Array.isArray(cell)) return cell;
  if (!cell.length) return '-';
  const [least, middle, most] = [Math.min(...cell), median(cell), Math.max(...cell)].map(
    formatNumber,
  );
  return least === most ? middle : `${middle} [${least}..${most}]`;
}

/**
 * Print rows of the same keys as a table, and add them to the results as a line of JSON. A cell is
 * a text, a figure, or the figures of all rounds.
 */
export function report(bench, title, rows) {
  if (!rows.length) return;
  const keys = Object.keys(rows[0]);
  const cells = [keys, ...rows.map((row) => keys.map((key) => formatCell(row[key])))];
  const widths = keys.map((_, i) => Math.max(...cells.map((line) => line[i].length)));
  const pad = (cell, i) => (i ? cell.padStart(widths[i]) : cell.padEnd(widths[i]));
  console.log(`\n${title}`);
  for (const line of cells) console.log(`  ${line.map(pad).join('  ')}`.trimEnd());

  const machine = {
    cpu: cpus()[0].model,
    cores: availableParallelism(),
    kernel: release(),
    load: loadavg()[0],
  };
  mkdirSync(values.results, { recursive: true });
  const record = {
    bench,
    title,
    when: new Date().toISOString(),
    line: values.line,
    rounds,
    machine,
    rows,
  };
  appendFileSync(join(values.results, `${bench}.jsonl`), `${JSON.stringify(record)}\n`);
}
