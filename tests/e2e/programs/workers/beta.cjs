// SPDX-License-Identifier: Apache-2.0
'use strict';

const { parentPort } = require('node:worker_threads');

function hotInBeta(count) {
  let sum = 0;
  for (let i = 0; i < count; i++) sum = (sum + i * 7) | 0;
  return sum;
}

function turnBeta() {
  hotInBeta(2e6);
  setImmediate(turnBeta);
}

turnBeta();
parentPort.postMessage('ready');
