// SPDX-License-Identifier: Apache-2.0
'use strict';

const { parentPort } = require('node:worker_threads');

function hotInGamma(count) {
  let sum = 0;
  for (let i = 0; i < count; i++) sum = (sum + i * 9) | 0;
  return sum;
}

function turnGamma() {
  hotInGamma(2e6);
  setImmediate(turnGamma);
}

turnGamma();
parentPort.postMessage('ready');
