// SPDX-License-Identifier: Apache-2.0
'use strict';

const { parentPort } = require('node:worker_threads');

function hotInAlpha(count) {
  let sum = 0;
  for (let i = 0; i < count; i++) sum = (sum + i * 5) | 0;
  return sum;
}

function turnAlpha() {
  hotInAlpha(2e6);
  setImmediate(turnAlpha);
}

turnAlpha();
parentPort.postMessage('ready');
