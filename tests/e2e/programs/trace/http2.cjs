// SPDX-License-Identifier: Apache-2.0
'use strict';

// usage: http2.cjs URL KEY CERTIFICATE HTTPS-URL
//
// Servers of HTTP/2, with and without TLS, by the interface of HTTP/1 and by streams, and one of
// HTTPS. What is asked of /out/ID is asked of the service at URL in turn, which speaks HTTP/2; what is
// asked of /trusting/ID and /doubting/ID, of that at HTTPS-URL, whose certificate the latter refuses.

const { readFileSync } = require('node:fs');
const http2 = require('node:http2');
const https = require('node:https');
const { serve } = require('../lib/control.cjs');
const { sleep } = require('./routes.cjs');

const [, , url, key, certificate, secureUrl] = process.argv;
const tls = { key: readFileSync(key), cert: readFileSync(certificate) };

let service;

function ask(path) {
  service ??= http2.connect(url);
  return new Promise((done, fail) => {
    const stream = service.request({ ':path': path });
    let text = '';
    stream.on('data', (chunk) => {
      text += chunk;
    });
    stream.on('end', () => done(JSON.parse(text)));
    stream.on('error', fail);
  });
}

const agent = new https.Agent({ keepAlive: true, maxSockets: 1, ca: tls.cert });

/** What the service answers, or why it was not asked. */
function askSecure(path, options) {
  return new Promise((done) => {
    const request = https.get(`${secureUrl}${path}`, options, async (response) => {
      let text = '';
      for await (const chunk of response) text += chunk;
      done(JSON.parse(text));
    });
    request.once('error', ({ code }) => done({ code }));
  });
}

async function answer(path, body, end) {
  const [, what, id] = path.split('/');
  if (what === 'trusting') return end(await askSecure(path, { agent }));
  if (what === 'doubting') return end(await askSecure(path, { agent: false }));
  // What a body ends in is still this request's doing.
  if (what === 'body') for await (const chunk of body) void chunk;
  else await sleep(Math.random() * 3);
  return end(await ask(`/${what}/${id}`));
}

const compat = (request, response) => {
  answer(request.url, request, (seen) => {
    response.statusCode = 202;
    response.end(JSON.stringify(seen));
  });
};

const byStream = (stream, headers) => {
  answer(headers[':path'], stream, (seen) => {
    stream.respond({ ':status': 203 });
    stream.end(JSON.stringify(seen));
  });
};

const servers = {
  compat: http2.createServer(compat),
  stream: http2.createServer().on('stream', byStream),
  secure: http2.createSecureServer(tls, compat),
  https: https.createServer(tls, compat),
};

const ports = {};
for (const [name, server] of Object.entries(servers))
  server.listen(0, '127.0.0.1', () => {
    ports[name] = server.address().port;
    if (Object.keys(ports).length === 4) serve({ ports: () => ports });
  });
