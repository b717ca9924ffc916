// SPDX-License-Identifier: Apache-2.0
'use strict';

// A server that logs each of its requests with pino, as docs/recipes/logs.md has it.

const http = require('node:http');
const { setTimeout: sleep } = require('node:timers/promises');
const pino = require('pino');
const { serve } = require('../lib/control.cjs');

const lines = [];
const logger = pino(
  { mixin: () => globalThis[Symbol.for('nodiag.context')]?.() ?? {} },
  { write: (line) => lines.push(JSON.parse(line)) },
);

logger.info('started');
setInterval(() => logger.info('nobody asked'), 10).unref();

const server = http.createServer(async (request, response) => {
  await sleep(5);
  logger.info({ path: request.url });
  response.end('{}');
});

server.listen(0, '127.0.0.1', () => {
  serve({ port: () => server.address().port, lines: () => lines });
});
