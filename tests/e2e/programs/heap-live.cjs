// SPDX-License-Identifier: Apache-2.0
'use strict';

// A server under load from itself that keeps objects of a class, and tells what it noticed of
// snapshots that were taken of it. Each request is followed by an AsyncLocalStorage through libuv's
// threads and back. With "all" there are workers, too, and a native module (ND_FORK).

const { AsyncLocalStorage } = require('node:async_hooks');
const http = require('node:http');
const fs = require('node:fs');
const { promisify } = require('node:util');
const { Worker } = require('node:worker_threads');
const zlib = require('node:zlib');

const { serve } = require('./lib/control.cjs');

const OBJECTS = 12345;
const CONNECTIONS = 4;

class Planted {
  constructor(number) {
    this.number = number;
    this.text = `planted ${number}`;
  }
}

const planted = Array.from({ length: OBJECTS }, (_, i) => new Planted(i));

const buffers = [];

const seen = { requests: 0, failed: 0, signals: 0, answers: 0 };
process.on('SIGCHLD', () => seen.signals++);

const storage = new AsyncLocalStorage();
const gzip = promisify(zlib.gzip);

// So that there is garbage to collect while a snapshot is taken.
async function answer(response) {
  const rows = Array.from({ length: 500 }, (_, i) => ({ i, kept: planted[i].text }));
  await gzip(JSON.stringify(rows.length));
  response.end(storage.getStore());
}

const server = http.createServer((request, response) => {
  storage.run(request.url, answer, response);
});

/** Its answer is the path it asked for, or it was mixed up with another one. */
function ask(agent) {
  const path = `/${seen.requests}-${Math.random()}`;
  const again = (failed) => {
    seen.requests++;
    seen.failed += failed;
    setTimeout(ask, 1, agent);
  };
  http
    .get({ agent, path, port: server.address().port }, (response) => {
      let text = '';
      response.on('data', (data) => (text += data));
      response.on('end', () => again(text === path ? 0 : 1));
    })
    .on('error', () => again(1));
}

/** A thread that makes garbage and tells of it. */
function startWorker() {
  const code = `
    const { parentPort } = require('node:worker_threads');
    setInterval(() => parentPort.postMessage(Array.from({ length: 2000 }, (_, i) => ({ i }))), 20);`;
  new Worker(code, { eval: true }).on('message', () => seen.answers++);
}

if (process.argv[2] === 'all') {
  require(process.env.ND_FORK);
  startWorker();
  startWorker();
}

server.listen(0, '127.0.0.1', () => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  for (let i = 0; i < CONNECTIONS; i++) ask(agent);
  serve({
    seen: () => ({ ...seen, fds: fs.readdirSync('/proc/self/fd').length }),
    buffer: (size) => buffers.push(Buffer.alloc(Number(size), 1)),
    grow: (count) => {
      for (let i = 0; i < Number(count); i++) planted.push(new Planted(i));
      return planted.length;
    },
  });
});
