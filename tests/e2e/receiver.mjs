// SPDX-License-Identifier: Apache-2.0

// A place for OTLP to go to that answers as it is told, and what it got, as text.

import { spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import { createServer as createServer2 } from 'node:http2';
import { createServer as createTlsServer } from 'node:https';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');

/** The messages of requests, by where they are sent. */
const messages = {
  '/v1/metrics': 'otlp.ExportMetricsServiceRequest',
  '/v1development/profiles': 'otlp.ExportProfilesServiceRequest',
  '/v1/traces': 'otlp.ExportTraceServiceRequest',
};

/** A request of OTLP as the text that protoc makes of it. */
export function decode({ path, body }) {
  const args = [`--decode=${messages[path]}`, '-I', join(root, 'proto'), 'otlp.proto'];
  const run = spawnSync('protoc', args, { input: body, maxBuffer: 1 << 28 });
  if (run.status !== 0) throw new Error(`protoc: ${run.error ?? run.stderr}`);
  return run.stdout.toString();
}

/** Answers that a collector gives. */
export const ok = { status: 200 };
export const status = (code, message, headers = {}) => ({
  status: code,
  headers: { 'content-type': 'application/x-protobuf', ...headers },
  body: Buffer.concat([Buffer.from([0x08, 14, 0x12, message.length]), Buffer.from(message)]),
});
export const partial = (rejected, message) => ({
  status: 200,
  headers: { 'content-type': 'application/x-protobuf' },
  body: Buffer.concat([
    Buffer.from([0x0a, message.length + 4, 0x08, rejected, 0x12, message.length]),
    Buffer.from(message),
  ]),
});

/** Answers nothing whole: says more bytes than come, and hangs up. */
export function half(request, response) {
  response.writeHead(200, { 'content-length': 100, 'content-type': 'application/x-protobuf' });
  response.write('\x0a');
  setTimeout(() => response.destroy(), 50);
}

/** Answers a byte at a time, so slowly that it never ends. */
export function slow(request, response) {
  response.socket.write('HTTP/1.1 200 OK\r\nx-slow: ');
  const timer = setInterval(() => response.socket?.write('a'), 100);
  response.socket.on('close', () => clearInterval(timer));
}

/**
 * Listen, and answer the requests for each path by its answers in turn, the last one for good.
 * @param {object} script answers by path: {status, headers, body} or function(request, response)
 * @param {object} tls options of a server that speaks HTTPS
 */
export async function receive(script = {}, tls = undefined) {
  const requests = [];
  const answers = {};
  for (const [path, list] of Object.entries(script)) answers[path] = [...list];
  const answer = (request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const packed = Buffer.concat(chunks);
      const gzip = request.headers['content-encoding'] === 'gzip';
      requests.push({
        path: request.url,
        headers: request.headers,
        body: gzip ? gunzipSync(packed) : packed,
        time: Date.now(),
      });
      const list = answers[request.url] ?? [ok];
      const how = list.length > 1 ? list.shift() : list[0];
      requests.at(-1).status = how.status;
      if (typeof how === 'function') return how(request, response);
      response.writeHead(how.status, how.headers);
      response.end(how.body);
    });
  };
  const server = tls ? createTlsServer(tls, answer) : createServer(answer);
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const url = `${tls ? 'https' : 'http'}://127.0.0.1:${server.address().port}`;
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url, requests, close };
}

/** The same for gRPC: each answer are the trailers of a call. */
export async function receiveGrpc(answers) {
  const calls = [];
  const left = [...answers];
  const server = createServer2();
  server.on('stream', (stream, headers) => {
    const chunks = [];
    stream.on('data', (chunk) => chunks.push(chunk));
    stream.on('end', () => {
      calls.push({ headers, body: Buffer.concat(chunks) });
      const trailers = left.length > 1 ? left.shift() : left[0];
      const head = { ':status': 200, 'content-type': 'application/grpc' };
      stream.respond(head, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers(trailers));
      stream.end(trailers['grpc-status'] === 0 ? Buffer.alloc(5) : undefined);
    });
  });
  const sessions = [];
  server.on('session', (session) => sessions.push(session));
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const close = () => {
    for (const session of sessions) session.destroy();
    server.close();
  };
  return { url: `http://127.0.0.1:${server.address().port}`, calls, close };
}
