// SPDX-License-Identifier: Apache-2.0

// What the agent costs the program that it is in, doing nothing but count, and with readers; beside
// it what others use to watch an event loop. CPU time per request of a server that does nothing.
//
// The agent is attached and detached in one process per round, with plain runs before and after;
// what a program must be started with is measured in a process of its own, and by turns a plain one
// beside it. Each has its own null.

import { existsSync } from 'node:fs';

import {
  agent,
  apart,
  bracket,
  choose,
  interrupt,
  kill,
  micro,
  nodiag,
  ours,
  readAgent,
  report,
  rounds,
  run,
  seconds,
  Series,
  start,
  startSink,
  tellFailed,
} from './lib.mjs';
import { compareInTurns, settle, withProgram } from './program.mjs';
import { clinicStart, needsClinic, needsRoot } from './ways.mjs';

const attached = {
  null: {},
  agent: { attach: true, missing: needsRoot },
  'agent and nodiag lag': {
    attach: true,
    reader: (pid) => [nodiag, 'lag', '--json', '-d', '1h', pid],
    missing: needsRoot,
  },
  'agent and lag --async': {
    attach: true,
    reader: (pid) => [nodiag, 'lag', '--async', '--json', '-d', '1h', pid],
    missing: needsRoot,
  },
  trace: {
    attach: true,
    reader: (pid) => [nodiag, 'trace', '--json', '-d', '1h', pid],
    missing: needsRoot,
  },
  'agent 99 Hz': {
    attach: true,
    reader: (pid) => [readAgent, pid, 'cpu', 99, 3600],
    missing: needsRoot,
  },
  'agent 249 Hz': {
    attach: true,
    reader: (pid) => [readAgent, pid, 'cpu', 249, 3600],
    missing: needsRoot,
  },
};

/** Whether a peer of package.json is there. */
const needsPeer = (name) => () =>
  existsSync(ours(`node_modules/${name}/package.json`)) ? '' : "not installed: 'npm run peers'";

/** What takes the spans of 'agent and export', and nothing else. */
const sink = await startSink();

const started = {
  null: {},
  'agent (LD_PRELOAD)': { start: (node) => ['env', `LD_PRELOAD=${agent}`, node] },
  'agent and export': {
    start: (node) => ['env', `LD_PRELOAD=${agent}`, `OTEL_EXPORTER_OTLP_ENDPOINT=${sink.url}`, node],
  },
  AsyncLocalStorage: { start: (node) => [node, '-r', ours('programs/storage.cjs')] },
  monitorEventLoopDelay: { start: (node) => [node, '-r', ours('programs/monitor.cjs')] },
  'blocked-at': {
    start: (node) => [node, '-r', ours('programs/blocked.cjs')],
    missing: needsPeer('blocked-at'),
  },
  // As it comes, with its metrics of the runtime; there is no agent of Datadog's that would listen.
  'dd-trace': {
    start: (node) => ['env', 'DD_RUNTIME_METRICS_ENABLED=true', 'DD_TRACE_STARTUP_LOGS=false', node,
      '-r', ours('node_modules/dd-trace/init.js')],
    missing: needsPeer('dd-trace'),
  },
  'clinic doctor': { start: clinicStart('doctor', '--collect-only'), missing: needsClinic },
};

async function measureAttached(program, { attach, reader }) {
  if (!attach) return program.measureCost(seconds);
  await run([nodiag, 'attach', program.pid]);
  const child = reader ? start(reader(program.pid)) : undefined;
  await settle();
  const cost = await program.measureCost(seconds);
  if (child?.spawnargs.includes(nodiag)) await interrupt(child);
  else if (child) kill(child, 'SIGKILL');
  await child?.ended;
  await run([nodiag, 'detach', program.pid]);
  return cost;
}

/** Against a plain server that runs beside it. */
function measureStarted(name) {
  const how = { ...apart, isPaced: true };
  return withProgram('hello', how, (plain) =>
    withProgram('hello', { ...started[name], ...how }, async (program) => {
      startedRatios.add(name, await compareInTurns(program, plain, seconds));
      memory.add(name, (await program.ask('memory')) / 1e6);
    }),
  );
}

const attachedRatios = new Series();
const startedRatios = new Series();
const memory = new Series();
for (let round = 0; round < rounds; round++) {
  await withProgram('hello', { ...apart, isPaced: true }, (program) => {
    const measure = (name = 'null') => measureAttached(program, attached[name]);
    return bracket(choose(attached), round, measure, attachedRatios);
  });
  for (const name of choose(started)) await measureStarted(name).catch(tellFailed(name));
}

report('agent', 'CPU time of a request, to that of the plain server: attached to it',
  choose(attached).map((name) => ({ way: name, 'CPU ratio': attachedRatios.get(name) })));
report('agent', 'CPU time of a request, to that of the plain server: started with it',
  choose(started).map((name) => ({
    way: name,
    'CPU ratio': startedRatios.get(name),
    'RSS MB': memory.get(name),
  })));

kill(sink.child, 'SIGKILL');
const { stdout } = await run([micro, agent]);
report('agent', 'One event written, and one program started that is not Node', JSON.parse(stdout));
