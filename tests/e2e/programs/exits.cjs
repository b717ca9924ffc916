// SPDX-License-Identifier: Apache-2.0
'use strict';

// usage: exits.cjs MILLISECONDS STATUS: works for a while, then exits with that status.

const [milliseconds, status] = process.argv.slice(2).map(Number);

function workUntil(end) {
  let sum = 0;
  while (Date.now() < end) {
    for (let i = 0; i < 1e5; i++) sum = (sum + i * 11) | 0;
  }
  return sum;
}

console.log('ready');
// A turn later, so that "ready" has been written.
setImmediate(() => {
  workUntil(Date.now() + milliseconds);
  process.exit(status);
});
