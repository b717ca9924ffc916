// SPDX-License-Identifier: Apache-2.0
'use strict';

// A server under load from itself that keeps objects of a class, and tells what it noticed of
// snapshots that were taken of it.

const http = require('node:http');
const fs = require('node:fs');

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

const seen = { requests: 0, failed: 0, signals: 0 };
process.on('SIGCHLD', () => seen.signals++);

// So that there is garbage to collect while a snapshot is taken.
const server = http.createServer((request, response) => {
  const rows = Array.from({ length: 500 }, (_, i) => ({ i, kept: planted[i].text }));
  response.end(JSON.stringify(rows.length));
});

function ask(agent) {
  const again = (failed) => {
    seen.requests++;
    seen.failed += failed;
    setTimeout(ask, 1, agent);
  };
  http
    .get({ agent, port: server.address().port }, (response) => {
      response.resume();
      response.on('end', () => again(0));
    })
    .on('error', () => again(1));
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
