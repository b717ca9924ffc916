// SPDX-License-Identifier: Apache-2.0
'use strict';

// What each request has in AsyncLocalStorage, and which of that is still there while its connection
// is idle.

const { AsyncLocalStorage, createHook } = require('node:async_hooks');
const { once } = require('node:events');
const http = require('node:http');
const { duplexPair } = require('node:stream');
const { setFlagsFromString } = require('node:v8');
const { runInNewContext } = require('node:vm');
const { serve } = require('./lib/control.cjs');

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc');

const storage = new AsyncLocalStorage();
const stores = [];

/** What nodiag made, as a program sees it that counts. */
const resources = new Set();

createHook({
  init: (id, type) => type === 'nodiag' && resources.add(id),
  destroy: (id) => resources.delete(id),
}).enable();

const server = http.createServer((request, response) => {
  const store = { path: request.url };
  stores.push(new WeakRef(store));
  request.socket.server = {}; // A program may put anything there.
  storage.run(store, () => setImmediate(() => response.end()));
});

/** How many stores are still held by something, a few turns later. */
async function countKept() {
  for (let i = 0; i < 3; i++) {
    await new Promise((done) => setImmediate(done));
    gc();
  }
  return stores.filter((store) => store.deref() !== undefined).length;
}

/** How many resources there were, and how many stay without connections. */
async function countResources() {
  const { size } = resources;
  for (let tries = 0; tries < 100 && resources.size > 0; tries++) {
    await new Promise((done) => setTimeout(done, 10));
    gc();
  }
  return [size, resources.size];
}

/** A connection that is no socket, and knows no timers: what comes of two requests on it. */
async function askByStream() {
  const [client, connection] = duplexPair();
  let text = '';
  server.emit('connection', connection);
  client.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  for (let count = 1; count <= 2; count++) {
    client.write('GET /stream HTTP/1.1\r\nhost: a\r\n\r\n');
    while (text.split('200 OK').length <= count) await once(client, 'data');
  }
  return text.split('200 OK').length - 1;
}

server.listen(0, '127.0.0.1', () => {
  serve({
    port: () => server.address().port,
    kept: countKept,
    stream: askByStream,
    resources: countResources,
  });
});
