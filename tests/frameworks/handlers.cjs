// SPDX-License-Identifier: Apache-2.0
'use strict';

// What all frameworks of this folder answer with; see server.cjs.

const { setTimeout: sleep } = require('node:timers/promises');
const { callOut, readBody, stream } = require('../e2e/programs/trace/routes.cjs');

/** What a program waits for whose client has gone. */
const never = () => sleep(60_000, undefined, { ref: false });

function fail() {
  throw new Error('on purpose');
}

module.exports = { callOut, fail, never, readBody, sleep, stream };
