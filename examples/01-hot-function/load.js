// SPDX-License-Identifier: Apache-2.0

// usage: node load.js [URL [SECONDS]]
import autocannon from 'autocannon';

const [url = 'http://localhost:3000', seconds = '30'] = process.argv.slice(2);

const result = await autocannon({
  url,
  duration: Number(seconds),
  connections: 10,
  requests: [
    { path: '/search?q=lamp' },
    { path: '/' },
    { path: '/search?q=desk%20lamp' },
    { path: '/offers/42' },
    {
      method: 'POST',
      path: '/orders',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ offers: [3, 14, 159] }),
    },
  ],
});

console.log(autocannon.printResult(result));
if (result.errors > 0 || result.non2xx > 0) process.exitCode = 1;
