// SPDX-License-Identifier: Apache-2.0

// What a profiler itself needs: CPU time to start, while it records and to answer, and memory, over
// a recording of ten seconds.

import { readdirSync, readFileSync } from 'node:fs';

import { asNobody, choose, report, rounds, runTimed, Series, sleep, workloads } from './lib.mjs';
import { withProgram } from './program.mjs';
import { needsPerf, needsRoot, needsUser, nodiagCommand, perfCommand } from './ways.mjs';

const RECORD_SECONDS = 10;

/** Start-up is long over, and the end is not there yet. */
const STEADY_SECONDS = [2, 9];

const ways = {
  'nodiag 99 Hz': { attach: nodiagCommand(99, { seconds: RECORD_SECONDS }), missing: needsRoot },
  'nodiag 999 Hz': { attach: nodiagCommand(999, { seconds: RECORD_SECONDS }), missing: needsRoot },
  'nodiag 99 Hz (perf_event)': {
    as: asNobody,
    attach: nodiagCommand(99, { seconds: RECORD_SECONDS }),
    missing: needsUser,
  },
  'perf record 99 Hz': {
    attach: (...args) => [...perfCommand(99)(...args), '--', 'sleep', RECORD_SECONDS],
    missing: needsPerf,
  },
};

/** CPU seconds of a process so far, of all its threads. */
function readCpuSeconds(pid) {
  const folder = `/proc/${pid}/task`;
  const spent = (tid) => Number(readFileSync(`${folder}/${tid}/schedstat`, 'utf8').split(' ')[0]);
  return readdirSync(folder).reduce((sum, tid) => sum + spent(tid), 0) / 1e9;
}

/** Record a program once; the figures go to `series`, prefixed by the name. */
async function measure(program, name, series) {
  const { as = [], attach } = ways[name];
  const [from, to] = STEADY_SECONDS;
  let early, late;
  const whole = await runTimed([...as, ...attach(program.pid, program.folder)], {
    cwd: program.folder,
    onStart: async (pid) => {
      await sleep(1000 * from);
      early = readCpuSeconds(pid);
      await sleep(1000 * (to - from));
      late = readCpuSeconds(pid);
    },
  });
  const steady = (late - early) / (to - from);
  series.add(`${name}/start`, 1000 * Math.max(0, early - from * steady));
  series.add(`${name}/steady`, 100 * steady);
  series.add(
    `${name}/end`,
    1000 * Math.max(0, whole.cpuSeconds - late - (RECORD_SECONDS - to) * steady),
  );
  series.add(`${name}/peak`, whole.peakMb);
}

async function measureWorkload(workload) {
  const series = new Series();
  const names = choose(ways);
  for (let round = 0; round < rounds; round++) {
    await withProgram(workload, { as: asNobody }, async (program) => {
      // The CPU program works on request only, for longer than all recordings here.
      if (workload === 'cpu') program.ask('work', 3600).catch(() => {});
      for (const name of names) await measure(program, name, series);
    });
  }
  const rows = names.map((name) => ({
    way: name,
    'start CPU ms': series.get(`${name}/start`),
    'recording, % of a core': series.get(`${name}/steady`),
    'end CPU ms': series.get(`${name}/end`),
    'peak RSS MB': series.get(`${name}/peak`),
  }));
  report('self', `The profiler's own cost, ${RECORD_SECONDS} s of the ${workload} program`, rows);
}

for (const workload of workloads) await measureWorkload(workload);
