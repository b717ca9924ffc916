// SPDX-License-Identifier: Apache-2.0
'use strict';

// The least that a server can do: nearly all of a request is the event loop and Node's own HTTP.

const http = require('node:http');
const { setTimeout: sleep } = require('node:timers/promises');

const { serve, cpuUs } = require('./control.cjs');

let requests = 0;

const server = http.createServer((request, response) => {
  requests++;
  response.end('hello');
});

server.listen(0, '127.0.0.1', () => {
  const commands = {
    work: (seconds) => sleep(1000 * seconds, {}),
    usage: () => ({ cpuUs: cpuUs(), units: requests }),
    memory: () => process.memoryUsage.rss(),
  };
  serve(commands, { port: server.address().port });
});
