// SPDX-License-Identifier: Apache-2.0

// usage: node load.js [URL [SECONDS]]
//
// Customers who look at products, one after the other; and now and then somebody who wants the
// catalogue, or recommendations.
import { setTimeout as sleep } from 'node:timers/promises';

const [url = 'http://127.0.0.1:3000', seconds = '10'] = process.argv.slice(2);
const CUSTOMERS = 8;

const end = Date.now() + 1000 * Number(seconds);
let product = 0;
let answered = 0;

async function get(path) {
  const response = await fetch(`${url}${path}`);
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`${path}: HTTP ${response.status}`);
  answered++;
}

async function lookAround() {
  while (Date.now() < end) {
    await get(`/products/${++product}`);
    await sleep(50);
  }
}

async function nowAndThen(path, first) {
  await sleep(first);
  while (Date.now() < end) {
    await get(path);
    await sleep(2000);
  }
}

await Promise.all([
  ...Array.from({ length: CUSTOMERS }, lookAround),
  nowAndThen('/catalogue', 500),
  nowAndThen('/customers/7/recommendations', 1500),
]);
console.log(`${answered} requests answered`);
