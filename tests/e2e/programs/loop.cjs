// SPDX-License-Identifier: Apache-2.0
'use strict';

// Never returns to the event loop. Started before anyone looks.

function spin(count) {
  let sum = 0;
  for (let i = 0; i < count; i++) sum = (sum + (i % 7)) | 0;
  return sum;
}

function stuck() {
  for (;;) spin(1e6);
}

require('node:fs').writeSync(1, 'ready\n');
stuck();
