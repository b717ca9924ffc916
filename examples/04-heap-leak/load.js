// SPDX-License-Identifier: Apache-2.0

// usage: node load.js [URL [REQUESTS]]: that many requests, ten at a time
'use strict';
const { Agent, get } = require('node:http');

const [url = 'http://127.0.0.1:3000', requests = '2000'] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true, maxSockets: 10 });

function ask(number) {
  return new Promise((resolve, reject) => {
    get(`${url}/offers/${number}`, { agent }, (response) => {
      response.resume();
      response.on('end', resolve);
    }).on('error', reject);
  });
}

async function main() {
  await Promise.all(Array.from({ length: Number(requests) }, (_, i) => ask(i)));
  agent.destroy();
  console.log(`${requests} requests`);
}

main();
