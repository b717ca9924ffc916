// SPDX-License-Identifier: Apache-2.0
'use strict';

// A server that one request keeps busy: for a while after its answer, or for good.

const http = require('node:http');
const { serve } = require('./lib/control.cjs');

const AFTER_MS = 3000;

function spin(ms) {
  let sum = 0;
  for (const end = performance.now() + ms; performance.now() < end;) sum += Math.sqrt(sum + 1);
  return sum;
}

const server = http.createServer((request, response) => {
  if (request.url.startsWith('/forever')) spin(Infinity);
  response.end();
  if (request.url.startsWith('/after')) setTimeout(function inAfter() { spin(AFTER_MS); }, 1);
});

server.listen(0, '127.0.0.1', () =>
  serve({ port: () => server.address().port, idle: () => 'idle' }));
