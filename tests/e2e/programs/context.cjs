// SPDX-License-Identifier: Apache-2.0
'use strict';

// A server whose requests compute in functions of their own, called in all the ways in which
// something may be for a request, or not: each by a name of its own.

const http = require('node:http');
const http2 = require('node:http2');
const { serve } = require('./lib/control.cjs');

const BURN_MS = 12;

/** Compute. */
function spin(ms = BURN_MS) {
  let sum = 0;
  for (const end = performance.now() + ms; performance.now() < end;)
    for (let i = 0; i < 2000; i++) sum += Math.sqrt(i);
  return sum;
}

const ways = {
  now(request, response) {
    (function inNow() { spin(); })();
    response.end();
  },
  async await(request, response) {
    await null;
    await new Promise((done) => setTimeout(done, 2));
    (function inAwait() { spin(); })();
    response.end();
  },
  timer(request, response) {
    setTimeout(function inTimer() {
      spin();
      process.nextTick(function inTick() {
        spin();
        response.end();
      });
    }, 1);
  },
  after(request, response) {
    response.end();
    setImmediate(function inAfter() { spin(); });
  },
  // Node.js makes the connection's own timer before this listener is called.
  finished(request, response) {
    response.on('finish', () => setTimeout(function inFinished() { spin(); }, 1));
    response.end();
  },
  // That timer, soon.
  idle(request, response) {
    server.keepAliveTimeout = 1;
    request.socket.on('timeout', function inIdle() { spin(60); });
    response.on('close', () => {
      server.keepAliveTimeout = 5000;
    });
    response.end();
  },
  pieces(request, response) {
    request.on('data', function inData() { spin(); });
    request.on('end', function inEnd() {
      spin();
      response.end();
    });
  },
  // Whoever asked, and knows that it was heard, is gone by then.
  aborted(request, response) {
    response.writeContinue();
    setTimeout(function inAborted() { spin(); }, 60);
  },
  // More than a young generation of any Node.js holds: it is collected in the middle of this.
  garbage(request, response) {
    let kept;
    for (let i = 0; i < 1 << 21; i++) kept = [i, kept?.[0], 2, 3, 4, 5, 6];
    response.end(String(kept.length));
  },
  stall(request, response) {
    (function inStall() { spin(300); })();
    response.end();
  },
};

const way = (path) => ways[path.split('/')[1]];

const server = http.createServer((request, response) => way(request.url)(request, response));
server.on('upgrade', (request, socket) => {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n');
  socket.on('data', function inUpgraded() {
    spin();
    socket.write('done');
  });
  socket.on('error', () => {});
});

/** A new server for HTTP/2, which before Node 22 is followed only from its beginning; its port. */
function openStreams() {
  const streams = http2.createServer();
  streams.on('stream', (stream) => {
    setTimeout(function inStream() {
      spin();
      stream.respond();
      stream.end();
    }, 1);
  });
  return new Promise((done) => {
    streams.listen(0, '127.0.0.1', () => done(streams.address().port));
  });
}

setInterval(function inBackground() { spin(4); }, 50);

server.listen(0, '127.0.0.1', () => {
  serve({ port: () => server.address().port, streams: openStreams });
});
