// SPDX-License-Identifier: Apache-2.0
'use strict';

// usage: stalls.cjs [MILLISECONDS]: keeps its event loop from polling for 120 ms, four times a
// second, and exits after that time; without it, when stdin ends.

const { serve } = require('./lib/control.cjs');

const [milliseconds] = process.argv.slice(2).map(Number);

function spin(count) {
  let sum = 0;
  for (let i = 0; i < count; i++) sum = (sum + (i % 7)) | 0;
  return sum;
}

function blockLoop() {
  const end = Date.now() + 120;
  while (Date.now() < end) spin(1e5);
}

setInterval(blockLoop, 250);
if (milliseconds) setTimeout(() => process.exit(0), milliseconds);
else serve();
