// SPDX-License-Identifier: Apache-2.0

// What being profiled costs a program: its CPU time per unit of work, as a ratio to the plain
// program's. "null" is the plain program again.
//
// What attaches to a running process is measured in one process per round, plain runs before and
// after; what a program must be started with, in a process per run. Each has its own null.

import {
  asNobody,
  bracket,
  choose,
  interrupt,
  report,
  rounds,
  seconds,
  Series,
  start,
  workloads,
} from './lib.mjs';
import { settle, withProgram } from './program.mjs';
import {
  clinicStart,
  cpuProfStart,
  needsClinic,
  needsPerf,
  needsRoot,
  needsUser,
  nodiagCommand,
  perfCommand,
  perfStart,
  zeroXStart,
} from './ways.mjs';

const attached = {
  null: {},
  'nodiag 99 Hz': { attach: nodiagCommand(99), missing: needsRoot },
  'nodiag 999 Hz': { attach: nodiagCommand(999), missing: needsRoot },
  'ticks alone 999 Hz': { attach: perfCommand(999, { stacks: false }), missing: needsRootAndPerf },
  'perf record -g 999 Hz': { attach: perfCommand(999), missing: needsRootAndPerf },
  'nodiag 99 Hz (perf_event)': { as: asNobody, attach: nodiagCommand(99), missing: needsUser },
};

const started = {
  null: {},
  'perf record 99 Hz': { start: perfStart, attach: perfCommand(99), missing: needsPerf },
  'node --cpu-prof': { start: cpuProfStart },
  '0x': { start: zeroXStart('--collect-only') },
  'clinic flame': { start: clinicStart('flame', '--collect-only'), missing: needsClinic },
};

function needsRootAndPerf() {
  return needsRoot() || needsPerf();
}

async function measureAttached(program, { as = [], attach }) {
  if (!attach) return program.measureCost(seconds);
  const tool = start([...as, ...attach(program.pid, program.folder)], { cwd: program.folder });
  await settle();
  const cost = await program.measureCost(seconds);
  await interrupt(tool);
  return cost;
}

function measureStarted(workload, way) {
  return withProgram(workload, way, async (program) => {
    const cost = await measureAttached(program, { attach: way.attach });
    await program.end();
    return cost;
  });
}

/** All that attach in one process, and each of the others in its own. */
async function measureRound(workload, round, attachedRatios, startedRatios) {
  await withProgram(workload, { as: asNobody }, (program) => {
    const measure = (name = 'null') => measureAttached(program, attached[name]);
    return bracket(choose(attached), round, measure, attachedRatios);
  });
  const measure = (name = 'null') => measureStarted(workload, started[name]);
  await bracket(choose(started), round, measure, startedRatios);
}

function reportRatios(workload, how, ways, ratios) {
  const rows = choose(ways).map((name) => ({ way: name, 'CPU ratio': ratios.get(name) }));
  report('cost', `CPU time of the ${workload} program, to that of the plain one: ${how}`, rows);
}

for (const workload of workloads) {
  const attachedRatios = new Series();
  const startedRatios = new Series();
  for (let round = 0; round < rounds; round++) {
    await measureRound(workload, round, attachedRatios, startedRatios);
  }
  reportRatios(workload, 'attached to it', attached, attachedRatios);
  reportRatios(workload, 'started with it', started, startedRatios);
}
