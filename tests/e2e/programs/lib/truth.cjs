// SPDX-License-Identifier: Apache-2.0
'use strict';

// How long a program's phases took, told by its own clocks: what a profile must agree with.
//
// There are two clocks, since each counts something too much: wall-clock time also counts waiting
// for a CPU, and CPU time is that of the whole process, with V8's helper threads. Sums are kept
// per round with the time of day, so that the test can ask for just the window that was recorded.

const { performance } = require('node:perf_hooks');

function read() {
  const { user, system } = process.cpuUsage();
  return { wall: performance.now(), cpu: (user + system) / 1000 };
}

class Truth {
  #start = read();
  #sums = {};
  #rounds = [];

  /** Return fn(), and charge its time to `phase`. */
  time(phase, fn) {
    const start = read();
    const result = fn();
    this.#charge(phase, start);
    return result;
  }

  /** The same for an async fn(), of which nothing else runs while it waits. */
  async timeAsync(phase, fn) {
    const start = read();
    const result = await fn();
    this.#charge(phase, start);
    return result;
  }

  #charge(phase, start) {
    const end = read();
    const sum = (this.#sums[phase] ??= { wall: 0, cpu: 0 });
    sum.wall += end.wall - start.wall;
    sum.cpu += end.cpu - start.cpu;
  }

  /** End a round of all phases. */
  endRound() {
    const now = read();
    const total = { wall: now.wall - this.#start.wall, cpu: now.cpu - this.#start.cpu };
    const phases = structuredClone(this.#sums);
    this.#rounds.push({ ms: performance.timeOrigin + now.wall, total, phases });
  }

  /**
   * The rounds between two times of day in ms, and each phase's share of them by both clocks:
   * { rounds, shares: { PHASE: { wall, cpu } } }.
   */
  report(from, to) {
    const rounds = this.#rounds.filter((round) => round.ms >= from && round.ms <= to);
    const first = rounds[0];
    const last = rounds[rounds.length - 1];
    const share = (phase, clock) =>
      (last.phases[phase][clock] - first.phases[phase][clock]) /
      (last.total[clock] - first.total[clock]);
    const shares = Object.keys(last.phases).map((phase) => [
      phase,
      { wall: share(phase, 'wall'), cpu: share(phase, 'cpu') },
    ]);
    return { rounds: rounds.length, shares: Object.fromEntries(shares) };
  }
}

module.exports = { Truth };
