// SPDX-License-Identifier: Apache-2.0

// How true the shares of a profile are: those of the CPU program's functions, against its own
// clocks. Of mixAll nearly everything is its leaf mix, which V8 inlines into it.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import {
  asNobody,
  choose,
  interrupt,
  report,
  rounds,
  run,
  seconds,
  Series,
  start,
} from './lib.mjs';
import { settle, withProgram } from './program.mjs';
import { readCpuProfile, readFolded, readPerfScript, readTicks } from './stacks.mjs';
import {
  cpuProfStart,
  needsPerf,
  needsRoot,
  needsUser,
  nodiagCommand,
  perfCommand,
  perfStart,
  zeroXStart,
} from './ways.mjs';

const readNodiag = (folder) => readFolded(readFileSync(join(folder, 'nodiag.folded'), 'utf8'));

/** Ways as in ways.mjs; `read` gives the stacks of what was written, and `as` holds for both. */
const ways = {
  'nodiag 999 Hz': {
    attach: nodiagCommand(999, { format: 'folded' }),
    read: readNodiag,
    missing: needsRoot,
  },
  'nodiag 999 Hz (perf_event)': {
    as: asNobody,
    attach: nodiagCommand(999, { format: 'folded' }),
    read: readNodiag,
    missing: needsUser,
  },
  'perf record 999 Hz': {
    start: perfStart,
    attach: perfCommand(999),
    read: async (folder) => {
      const { stdout } = await run([
        'perf',
        'script',
        '-F',
        'ip,sym',
        '-i',
        join(folder, 'perf.data'),
      ]);
      return readPerfScript(String(stdout));
    },
    missing: needsPerf,
  },
  'node --cpu-prof': {
    start: cpuProfStart,
    read: (folder) => readCpuProfile(JSON.parse(readFileSync(join(folder, 'node.cpuprofile')))),
  },
  '0x': {
    start: zeroXStart('--collect-only', '--write-ticks'),
    read: (folder) => readTicks(JSON.parse(readFileSync(join(folder, '0x/ticks.json')))),
  },
};

/** Profile the program attached, for as long as it works. */
async function recordWork(program, { as = [], attach }) {
  const before = await program.ask('times');
  const tool = start([...as, ...attach(program.pid, program.folder)], { cwd: program.folder });
  await settle();
  await program.ask('work', seconds);
  await interrupt(tool);
  const after = await program.ask('times');
  return Object.fromEntries(Object.keys(after).map((name) => [name, after[name] - before[name]]));
}

/** Profile the program from its start to its end. */
async function recordLife(program) {
  await program.ask('work', seconds);
  const times = await program.ask('times');
  await program.end();
  return times;
}

function sum(list) {
  return list.reduce((total, value) => total + value, 0);
}

/** How stacks differ from the truth, in points (hundredths), over the functions that it knows. */
function compare(stacks, times) {
  const names = Object.keys(times);
  const weightOf = (name) =>
    sum(stacks.filter((stack) => stack.names.includes(name)).map(({ weight }) => weight));
  const weights = names.map(weightOf);
  const errors = names.map((name, i) => {
    return 100 * Math.abs(weights[i] / sum(weights) - times[name] / sum(Object.values(times)));
  });
  const leaf = (100 * weightOf('mix')) / weightOf('mixAll');
  return { samples: sum(weights), worst: Math.max(...errors), leaf };
}

const series = new Series();
const names = choose(ways);
for (let round = 0; round < rounds; round++) {
  await withProgram('cpu', {}, async (program) =>
    series.add('leaf', 100 * (await program.ask('leaf'))),
  );
  for (const name of names) {
    const way = ways[name];
    await withProgram('cpu', way, async (program) => {
      const times = await (way.attach ? recordWork(program, way) : recordLife(program));
      const figures = compare(await way.read(program.folder), times);
      for (const [key, value] of Object.entries(figures)) series.add(`${name}/${key}`, value);
    });
  }
}

const truth = {
  way: "the program's clocks",
  samples: '',
  'worst error, points': '',
  'mix, % of mixAll': series.get('leaf'),
};
const rows = names.map((name) => ({
  way: name,
  samples: series.get(`${name}/samples`),
  'worst error, points': series.get(`${name}/worst`),
  'mix, % of mixAll': series.get(`${name}/leaf`),
}));
report('quality', "Shares of the cpu program's functions, against its own clocks", [
  truth,
  ...rows,
]);
