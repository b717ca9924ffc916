// SPDX-License-Identifier: Apache-2.0
'use strict';

// Starts a worker a second after it was ready.

const { join } = require('node:path');
const { Worker } = require('node:worker_threads');
const { serve } = require('./lib/control.cjs');

serve();
setTimeout(() => new Worker(join(__dirname, 'workers', 'alpha.cjs')), 1000);
