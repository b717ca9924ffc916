// SPDX-License-Identifier: Apache-2.0
'use strict';

// usage: unseen.cjs TIMES [cluster]: blocks its event loop for 120 ms, so often, and says as JSON
// what it sees of children and descriptors that it has; or lets two workers do that.

const cluster = require('node:cluster');
const { readdirSync, readFileSync, readlinkSync } = require('node:fs');

let signals = 0;
let blocks = 0;

function children() {
  const folder = '/proc/self/task';
  const lists = readdirSync(folder).map((tid) => readFileSync(`${folder}/${tid}/children`, 'utf8'));
  return lists.join('').trim();
}

/** What descriptors are open, without their numbers. */
function descriptors() {
  const links = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).replace(/:\[\d+\]/, '');
    } catch {
      return 'the folder itself';
    }
  });
  return links.filter((link) => !link.startsWith('/proc/')).sort();
}

function blockLoop() {
  const end = Date.now() + 120;
  while (Date.now() < end);
  if (++blocks < Number(process.argv[2])) setTimeout(blockLoop, 100);
  else setTimeout(report, 100);
}

function report() {
  const env = ['LD_PRELOAD', 'NODIAG_OUTPUT', 'NODIAG_SOCKET'].filter((name) => process.env[name]);
  const seen = { pid: process.pid, env, signals, children: children(), fds: descriptors() };
  if (cluster.isWorker) process.send(seen, () => process.exit(0));
  else console.log(JSON.stringify(seen));
}

function startWorkers() {
  cluster.setupPrimary({ args: [process.argv[2]] });
  for (let i = 0; i < 2; i++) cluster.fork();
  cluster.on('message', (worker, seen) => console.log(JSON.stringify(seen)));
}

if (process.argv[3] === 'cluster' && cluster.isPrimary) {
  startWorkers();
} else {
  if (!cluster.isWorker) process.on('SIGCHLD', () => signals++);
  setTimeout(blockLoop, 300);
}
