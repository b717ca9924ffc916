// SPDX-License-Identifier: Apache-2.0
'use strict';

// For `node --test`.

const test = require('node:test');
const { look } = require('./look.cjs');

test('look', (t, done) => look(done));
