// SPDX-License-Identifier: Apache-2.0
'use strict';

// A program that takes known times to load its modules, and then waits.
const spin = require('./spin.cjs');

spin(60);
require('./first.cjs');
require('./second.cjs');

process.stdin.resume().on('end', () => process.exit(3));
