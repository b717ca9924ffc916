// SPDX-License-Identifier: Apache-2.0

// The programs that are profiled, by name: programs/cpu.cjs, and programs/http.cjs under load.

import { once } from 'node:events';
import { chmodSync, rmSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { finish, kill, makeFolder, median, minutes, node, nowMs, ours } from './lib.mjs';
import { removeFolder, run, sleep, start } from './lib.mjs';

/** Until V8 has compiled what is hot. */
const WARM_UP_SECONDS = 4;

/** Requests at a time; each answer is followed by the next request at once. */
const CONNECTIONS = 32;

/**
 * 15,000 requests a second, which no way keeps from coming: a loop that has more to do in a turn
 * does each with less, so what is slower would seem to cost even more if it got fewer.
 */
const PACE = ['--connections', 20, '--script', ours('programs/pace.lua')];

/** Long enough to fill the caches again, and shorter than a machine keeps its mood. */
const TURN_SECONDS = 0.5;

/** Those in which connections are opened again, and which are not measured. */
const WARM_UP_TURNS = 2;

/** Longer than any benchmark, whose end ends it, unless that was killed. */
const LOAD_SECONDS = 3600 + 60 * minutes;

export class Program {
  /**
   * Start a program in a folder of its own, and return when it is warm.
   * @param {'cpu' | 'http'} workload
   * @param {{start?: (node: string, folder: string) => string[], as?: string[], cpu?: number,
   *   loadAs?: string[], isPaced?: boolean}} way `start`: the command in place of `node`; `as`,
   *   `loadAs`: what runs the program, its load; `cpu`: the one that it has to run on, what it
   *   started may run anywhere; `isPaced`: as many requests for all, not as many as can be
   */
  static async start(workload, way = {}) {
    const program = new Program();
    program.folder = makeFolder();
    const socket = join(program.folder, 'control');
    const server = net.createServer().listen(socket);
    await once(server, 'listening');
    chmodSync(socket, 0o777);
    const command = way.start?.(node, program.folder) ?? [node];
    program.spawnedMs = nowMs();
    program.child = start([...(way.as ?? []), ...command, ours('programs', `${workload}.cjs`)], {
      cwd: program.folder,
      env: { BENCH_SOCKET: socket },
    });
    const died = program.child.ended.then(({ text }) => {
      throw new Error(`the program ended: ${text.slice(-500)}`);
    });
    died.catch(() => {});
    program.died = died;
    [program.connection] = await Promise.race([once(server, 'connection'), died]);
    server.close();
    program.lines = createInterface({ input: program.connection })[Symbol.asyncIterator]();
    const { pid, port, startedNs } = JSON.parse((await program.lines.next()).value);
    program.pid = pid;
    program.startedMs = Number(startedNs) / 1e6;
    if (way.cpu !== undefined) await run(['taskset', '-acp', way.cpu, pid]);
    if (port) program.#startLoad(port, way);
    await program.ask('work', WARM_UP_SECONDS);
    if (way.isPaced) {
      kill(program.load, 'SIGKILL');
      program.#startLoad(port, way, PACE);
    }
    return program;
  }

  #startLoad(port, { loadAs = [] }, pace = []) {
    /* One that asks with less work than the program has to answer, so that it is never waited for. */
    const options = ['--threads', 1, '--connections', CONNECTIONS, '--duration', LOAD_SECONDS];
    this.load = start([...loadAs, 'wrk', ...options, ...pace, `http://127.0.0.1:${port}/`]);
  }

  async ask(...words) {
    this.connection.write(`${words.join(' ')}\n`);
    const { value } = await Promise.race([this.lines.next(), this.died]);
    return JSON.parse(value);
  }

  /** CPU microseconds per unit of work, over that time. */
  async measureCost(seconds) {
    const before = await this.ask('usage');
    await this.ask('work', seconds);
    const after = await this.ask('usage');
    return (after.cpuUs - before.cpuUs) / (after.units - before.units);
  }

  /** Have its load ask for nothing, or go on. */
  rest() {
    kill(this.load, 'SIGSTOP');
  }

  wake() {
    kill(this.load, 'SIGCONT');
  }

  /** Let the program end by itself, and wait for it and the tool that it runs under. */
  async end() {
    if (this.load) kill(this.load, 'SIGKILL');
    this.connection.end();
    await finish(this.child);
  }

  /** Make sure that nothing is left of it; after end(), only its folder. */
  async discard() {
    if (this.load) kill(this.load, 'SIGKILL');
    kill(this.child, 'SIGKILL');
    await this.child.ended;
    rmSync(`/tmp/perf-${this.pid}.map`, { force: true });
    removeFolder(this.folder);
  }
}

/** Start a program, use it, and clean up after it whatever happens. */
export async function withProgram(workload, way, use) {
  const program = await Program.start(workload, way);
  try {
    return await use(program);
  } finally {
    await program.discard();
  }
}

async function takeTurn(program, costs) {
  program.wake();
  costs.push(await program.measureCost(TURN_SECONDS));
  program.rest();
}

/**
 * The cost of a program under load to that of a plain one, both measured over that time: in short
 * turns, so that whatever the machine is up to meets both.
 */
export async function compareInTurns(program, plain, seconds) {
  const both = [
    { program, costs: [] },
    { program: plain, costs: [] },
  ];
  both.forEach((one) => one.program.rest());
  for (let turn = 0; turn < WARM_UP_TURNS + seconds / TURN_SECONDS; turn++) {
    const order = turn % 2 ? both : [...both].reverse();
    for (const one of order) await takeTurn(one.program, one.costs);
  }
  const [cost, plainCost] = both.map(({ costs }) => median(costs.slice(WARM_UP_TURNS)));
  return cost / plainCost;
}

/** Give an attached tool time to begin. */
export async function settle() {
  await sleep(700);
}
