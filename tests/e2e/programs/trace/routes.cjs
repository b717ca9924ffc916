// SPDX-License-Identifier: Apache-2.0
'use strict';

// What the servers of this folder answer with, whatever framework calls it. `ask` is the URL of a
// service that answers with the headers it got.

const http = require('node:http');
const { setTimeout: sleep } = require('node:timers/promises');

const agent = new http.Agent({ keepAlive: true });

function readBody(stream) {
  return new Promise((done, fail) => {
    const chunks = [];
    stream.on('data', (chunk) => chunks.push(chunk));
    stream.once('end', () => done(Buffer.concat(chunks).toString()));
    stream.once('error', fail);
  });
}

function ask(url, options) {
  return new Promise((done, fail) => {
    const request = http.get(url, { agent, ...options }, (response) => {
      readBody(response).then((body) => done(JSON.parse(body)), fail);
    });
    request.once('error', fail);
  });
}

/** What a request asks others for, at the end of some waiting of several kinds. */
async function callOut(url, id) {
  await sleep(Math.random() * 3);
  const [plain, listed] = await Promise.all([
    ask(`${url}/plain/${id}`),
    ask(`${url}/listed/${id}`, { headers: ['x-id', id, 'host', new URL(url).host] }),
  ]);
  await new Promise((done) => process.nextTick(done));
  const fetched = await (await fetch(`${url}/fetch/${id}`)).json();
  return { plain, listed, fetched };
}

/** An answer in pieces. */
async function stream(response) {
  for (let i = 0; i < 4; i++) {
    response.write(`${i}\n`);
    await sleep(2);
  }
  response.end();
}

module.exports = { ask, callOut, readBody, sleep, stream };
