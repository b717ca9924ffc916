// SPDX-License-Identifier: Apache-2.0
'use strict';

// What all frameworks of this folder answer with; see server.cjs.

const { setTimeout: sleep } = require('node:timers/promises');
const { callOut, readBody, stream } = require('../e2e/programs/trace/routes.cjs');

/** Let the client know that it is being waited for, so that it can go. */
function never(response) {
  response.writeProcessing();
  return sleep(60_000, undefined, { ref: false });
}

function fail() {
  throw new Error('on purpose');
}

module.exports = { callOut, fail, never, readBody, sleep, stream };
