// SPDX-License-Identifier: Apache-2.0

// usage: node leak-test.js: three rounds of the same work, with a heap snapshot after each, into
// 1.heapsnapshot to 3.heapsnapshot. The first round fills the caches.
'use strict';
const { once } = require('node:events');
const { Agent, get } = require('node:http');
const v8 = require('node:v8');

const { server } = require('./server.js');

const REQUESTS = 2000;

function ask(url, agent) {
  return new Promise((resolve, reject) => {
    get(url, { agent }, (response) => {
      response.resume();
      response.on('end', resolve);
    }).on('error', reject);
  });
}

async function main() {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${server.address().port}/offers/1`;
  for (let round = 1; round <= 3; round++) {
    const agent = new Agent({ keepAlive: true, maxSockets: 10 });
    await Promise.all(Array.from({ length: REQUESTS }, () => ask(url, agent)));
    agent.destroy();
    v8.writeHeapSnapshot(`${round}.heapsnapshot`);
  }
  server.close();
}

main();
