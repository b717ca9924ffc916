// SPDX-License-Identifier: Apache-2.0
'use strict';

// usage: plain.cjs URL [MODE]
//
// A server without a framework, whose requests ask the service at URL; in a thread of its own with
// the mode "worker", with what OpenTelemetry leaves behind with the mode "tracer".

const { AsyncResource } = require('node:async_hooks');
const { channel } = require('node:diagnostics_channel');
const http = require('node:http');
const { isMainThread, parentPort, Worker, workerData } = require('node:worker_threads');
const { ask, callOut } = require('./routes.cjs');

const url = isMainThread ? process.argv[2] : workerData;
const mode = process.argv[3];

const expecting = { headers: { expect: '100-continue' } };

/** What a program notices that looks at its own objects: more properties than they have. */
function findStrange(request, response) {
  const names = (object) => [...Object.keys(object), ...Object.getOwnPropertySymbols(object)];
  const all = [request, response, request.socket].flatMap(names).map(String);
  return all.filter((name) => name === 'push' || /nodiag/i.test(name));
}

/** Ticks, of which each asks, with very many asynchronous resources before the last. */
function askInTicks(id) {
  return [0, 70000, 70000].map((count) => {
    for (let i = 0; i < count; i++) new AsyncResource('FILLS');
    return new Promise((done) => process.nextTick(() => done(ask(`${url}/plain/${id}`))));
  });
}

async function handle(request, response) {
  const [, what, id] = request.url.split('?')[0].split('/');
  if (what === 'out') response.end(JSON.stringify(await callOut(url, id)));
  else if (what === 'ticks') response.end(JSON.stringify(await Promise.all(askInTicks(id))));
  // What the last piece of a body leads to is still this request's doing.
  else if (what === 'pieces') {
    let last;
    request.on('data', (chunk) => {
      if (String(chunk) === 'last') last = ask(`${url}/plain/${id}`, expecting);
    });
    request.on('end', async () => {
      const strange = findStrange(request, response);
      response.end(strange.length ? `strange: ${strange}` : JSON.stringify(await last));
    });
  } else response.end('hello');
}

function listen(listening) {
  const server = http.createServer(handle);
  server.on('upgrade', async (request, socket) => {
    const seen = JSON.stringify(await ask(`${url}/plain/0`));
    socket.end(`HTTP/1.1 101 Switching Protocols\r\n\r\n${seen}`);
  });
  server.listen(0, '127.0.0.1', () => listening(server.address().port));
}

/** What tracing could have left in this thread. */
function findTraces() {
  const names = ['http.server.request.start', 'http.client.request.created'];
  return {
    subscribed: names.filter((name) => channel(name).hasSubscribers),
    wrapped: Object.hasOwn(http.ClientRequest.prototype, '_storeHeader'),
    globals: Object.getOwnPropertyNames(globalThis).filter((name) => /nodiag/i.test(name)),
  };
}

/** Ask the service once this thread has been busy for a while. */
async function askLate() {
  for (const until = Date.now() + 1000; Date.now() < until;);
  const { host } = new URL(url);
  const { traceparent } = await ask(`${url}/late`, { headers: ['host', host] });
  return traceparent ?? 'none';
}

function main(port) {
  const { serve } = require('../lib/control.cjs');
  serve({ port: () => port, traces: findTraces, late: askLate });
}

if (mode === 'tracer') globalThis[Symbol.for('opentelemetry.js.api.1')] = { trace: {} };
if (!isMainThread) listen((port) => parentPort.postMessage(port));
else if (mode === 'worker') new Worker(__filename, { workerData: url }).once('message', main);
else listen(main);
