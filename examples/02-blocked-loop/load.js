// SPDX-License-Identifier: Apache-2.0

// usage: node load.js [URL [SECONDS]]
//
// Many who only ask for the status, and now and then somebody who logs in or wants an export.
import { setTimeout as sleep } from 'node:timers/promises';

import autocannon from 'autocannon';

const [url = 'http://localhost:3000', seconds = '30'] = process.argv.slice(2);
const duration = Number(seconds);

const login = {
  method: 'POST',
  path: '/login',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ user: 'ada', password: 'lovelace' }),
};

/** Not at the same moments as somebody logs in. */
async function exportNowAndThen() {
  await sleep(250);
  await autocannon({ url: `${url}/export`, duration, connections: 1, overallRate: 1, timeout: 60 });
}

const [status] = await Promise.all([
  autocannon({ url: `${url}/status`, duration, connections: 10, overallRate: 500 }),
  autocannon({ url, duration, connections: 1, overallRate: 2, timeout: 60, requests: [login] }),
  exportNowAndThen(),
]);

console.log('GET /status, which does next to nothing:');
console.log(autocannon.printResult(status));
