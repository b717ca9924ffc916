// SPDX-License-Identifier: Apache-2.0

// How fast the answer is there, for a server under load that is recorded for ten seconds: from the
// command to the first sample, and from the end of the recording to the finished answer.
//
// Tools that a program runs under record its whole life; their first sample counts as taken when
// the program's first line runs. The others attach to a running program, and are ended by SIGINT.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import {
  asNobody,
  choose,
  interrupt,
  listFiles,
  makeFolder,
  node,
  nowMs,
  removeFolder,
  report,
  rounds,
  run,
  Series,
  sleep,
  start,
} from './lib.mjs';
import { withProgram } from './program.mjs';
import { formatFolded, readPerfScript } from './stacks.mjs';
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
  zeroX,
  zeroXStart,
} from './ways.mjs';

const RECORD_SECONDS = 10;

/**
 * Ways as in ways.mjs, and
 *   render(folder)                  what is left to do after the recording
 *   readFirst(program, spawnedMs)   milliseconds until the first sample, of what attaches
 *   answer                          how the name of the finished answer ends
 */
const ways = {
  'nodiag flame': {
    attach: nodiagCommand(99),
    readFirst: (program) => readFirstOfNodiag(program, []),
    answer: '.html',
    missing: needsRoot,
  },
  'nodiag flame (perf_event)': {
    as: asNobody,
    attach: nodiagCommand(99),
    readFirst: (program) => readFirstOfNodiag(program, asNobody),
    answer: '.html',
    missing: needsUser,
  },
  'perf record + script': {
    start: perfStart,
    attach: perfCommand(99),
    render: renderPerf,
    readFirst: readFirstOfPerf,
    answer: '.folded',
    missing: needsPerf,
  },
  'node --cpu-prof + 0x': {
    start: cpuProfStart,
    render: renderCpuProfile,
    answer: '.html',
  },
  '0x': { start: zeroXStart(), answer: '.html' },
  'clinic flame': { start: clinicStart('flame', '--open=false'), answer: '.html', missing: needsClinic },
};

async function renderPerf(folder) {
  const { stdout } = await run(['perf', 'script', '-F', 'ip,sym', '-i', join(folder, 'perf.data')]);
  writeFileSync(join(folder, 'perf.folded'), formatFolded(readPerfScript(String(stdout))));
}

function renderCpuProfile(folder) {
  const command = [node, zeroX, '--visualize-cpu-profile', join(folder, 'node.cpuprofile')];
  return run(command, { cwd: folder });
}

/** In a short recording of its own, in a format that tells times. */
async function readFirstOfNodiag(program, as) {
  const folder = makeFolder();
  const command = nodiagCommand(99, { format: 'cpuprofile', seconds: 1 })(program.pid, folder);
  const spawnedMs = nowMs();
  await run([...as, ...command]);
  const profile = JSON.parse(readFileSync(join(folder, 'nodiag.cpuprofile')));
  const idle = profile.nodes.find(({ callFrame }) => callFrame.functionName === '(idle)')?.id;
  const first = profile.samples.findIndex((id) => id !== idle);
  const deltas = profile.timeDeltas.slice(0, first + 1);
  removeFolder(folder);
  return deltas.reduce((sum, delta) => sum + delta, profile.startTime) / 1000 - spawnedMs;
}

async function readFirstOfPerf({ folder }, spawnedMs) {
  const { stdout } = await run(['perf', 'script', '-F', 'time', '-i', join(folder, 'perf.data')]);
  return 1000 * parseFloat(stdout) - spawnedMs;
}

/** Record for ten seconds. Both return when the recording ended, having waited for the tool. */
async function recordAttached(program, { as = [], attach }) {
  const tool = start([...as, ...attach(program.pid, program.folder)], { cwd: program.folder });
  await sleep(1000 * RECORD_SECONDS);
  const endedMs = nowMs();
  await interrupt(tool);
  return endedMs;
}

async function recordLife(program) {
  await sleep(1000 * RECORD_SECONDS - (nowMs() - program.startedMs));
  const endedMs = nowMs();
  await program.end();
  return endedMs;
}

function sumKb(files) {
  return files.reduce((sum, { bytes }) => sum + bytes / 1024, 0);
}

async function measure(program, way) {
  const spawnedMs = way.attach ? nowMs() : program.spawnedMs;
  const endedMs = await (way.attach ? recordAttached(program, way) : recordLife(program));
  await way.render?.(program.folder);
  const answered = nowMs();
  const files = listFiles(program.folder);
  const isAnswer = ({ path }) => path.endsWith(way.answer);
  const firstMs = (await way.readFirst?.(program, spawnedMs)) ?? program.startedMs - spawnedMs;
  return {
    first: firstMs / 1000,
    answer: (answered - endedMs) / 1000,
    rawKb: sumKb(files.filter((file) => !isAnswer(file))),
    answerKb: sumKb(files.filter(isAnswer)),
  };
}

const series = new Series();
const names = choose(ways);
for (let round = 0; round < rounds; round++) {
  for (const name of names) {
    const way = ways[name];
    await withProgram('http', way, async (program) => {
      const figures = await measure(program, way);
      for (const [key, value] of Object.entries(figures)) series.add(`${name}/${key}`, value);
    });
  }
}

const rows = names.map((name) => ({
  way: name,
  'first sample s': series.get(`${name}/first`),
  'end to answer s': series.get(`${name}/answer`),
  'raw KB': series.get(`${name}/rawKb`),
  'answer KB': series.get(`${name}/answerKb`),
}));
report('time', `Recording the http program for ${RECORD_SECONDS} s`, rows);
