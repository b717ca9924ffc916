// SPDX-License-Identifier: Apache-2.0

// Whether memory stays flat while every request of a server under load is traced and sent, for as
// long as --minutes says, beside a server that is not traced. The collector takes all and keeps
// nothing, but for how many spans it got.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';

import { agent, interrupt, minutes, nodiag, nowMs, report, run, sleep, start } from './lib.mjs';
import { readAgent } from './lib.mjs';
import { settle, withProgram } from './program.mjs';

const SAMPLE_MS = 1000;

/**
 * V8 doubles its young generation each time as much as that has survived in all, up to a limit: a
 * step every few minutes that says nothing of who holds what.
 */
const YOUNG = ['--min-semi-space-size=16', '--max-semi-space-size=16'];

/** In each span, once. */
const MARK = Buffer.from('http.request.method');

function count(bytes) {
  let spans = 0;
  for (let at = bytes.indexOf(MARK); at >= 0; at = bytes.indexOf(MARK, at + MARK.length)) spans++;
  return spans;
}

async function startCollector() {
  const collector = { spans: 0 };
  const server = http.createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    collector.spans += count(Buffer.concat(chunks));
    response.end();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  collector.url = `http://127.0.0.1:${server.address().port}`;
  collector.close = () => server.close();
  return collector;
}

function readRssMb(pid) {
  return Number(readFileSync(`/proc/${pid}/status`, 'latin1').match(/VmRSS:\s+(\d+)/)[1]) / 1024;
}

/** What of a series falls into its thirds, one after the other. */
function thirds(list) {
  const size = Math.ceil(list.length / 3);
  return [0, 1, 2].map((i) => list.slice(i * size, (i + 1) * size));
}

async function watch(program, plain, collector) {
  const args = ['export', '--signal', 'traces', '--endpoint', collector.url, program.pid];
  const analyzer = start([nodiag, ...args]);
  await settle();
  const before = await program.ask('usage');
  const samples = { 'without agent': [], program: [], analyzer: [] };
  for (const end = nowMs() + minutes * 60_000; nowMs() < end; await sleep(SAMPLE_MS)) {
    samples['without agent'].push(readRssMb(plain.pid));
    samples.program.push(readRssMb(program.pid));
    samples.analyzer.push(readRssMb(analyzer.pid));
  }
  const { units } = await program.ask('usage');
  const { dropped } = JSON.parse((await run([readAgent, program.pid])).stdout);
  await interrupt(analyzer);
  return { samples, requests: units - before.units, dropped };
}

async function soak() {
  const collector = await startCollector();
  const way = { start: (node) => ['env', `LD_PRELOAD=${agent}`, node, ...YOUNG] };
  const { samples, requests, dropped } = await withProgram(
    'hello',
    { start: (node) => [node, ...YOUNG] },
    (plain) => withProgram('hello', way, (program) => watch(program, plain, collector)),
  );
  collector.close();
  const rows = Object.entries(samples).map(([name, list]) => {
    const [first, second, last] = thirds(list);
    return { process: name, 'first third': first, 'second third': second, 'last third': last };
  });
  report('soak', `resident memory, MiB, of ${minutes} minutes`, rows);
  report('soak', 'what came of it', [
    { requests, 'a second': requests / minutes / 60, spans: collector.spans, dropped },
  ]);
}

await soak();
