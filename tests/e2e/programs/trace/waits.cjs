// SPDX-License-Identifier: Apache-2.0
'use strict';

// usage: waits.cjs KEY CERTIFICATE
//
// A server whose requests wait for all kinds of things besides other services.

const { execFile } = require('node:child_process');
const dns = require('node:dns');
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const tls = require('node:tls');
const { Worker } = require('node:worker_threads');
const { serve } = require('../lib/control.cjs');

const [, , key, certificate] = process.argv;
const credentials = { key: fs.readFileSync(key), cert: fs.readFileSync(certificate) };
const peer = tls.createServer(credentials, (socket) => socket.end());

const ways = {
  dns: (done) => dns.lookup('localhost', done),
  net: (done) => net.connect(peer.address().port, '127.0.0.1', done),
  refused: (done) => net.connect(1, '127.0.0.1').once('error', done),
  tls: (done) => {
    const where = { port: peer.address().port, host: '127.0.0.1', servername: 'a.example' };
    tls.connect({ ...where, rejectUnauthorized: false }, done);
  },
  fs: (done) => fs.stat(__filename, done),
  missing: (done) => fs.promises.open('/nowhere').catch(done),
  child_process: (done) => execFile('/bin/sh', ['-c', 'exit 3'], done),
  worker: (done) => new Worker('', { eval: true }).once('exit', done),
};

const server = http.createServer((request, response) => {
  const way = request.url.slice(1);
  setTimeout(() => ways[way](() => setTimeout(() => response.end(way), 10)), 1);
});

peer.listen(0, '127.0.0.1', () => {
  server.listen(0, '127.0.0.1', () => {
    serve({ port: () => server.address().port, ways: () => Object.keys(ways) });
  });
});
