// SPDX-License-Identifier: Apache-2.0
'use strict';

// Work for libuv's thread pool, while the main thread waits.

const crypto = require('node:crypto');
const { serve } = require('./lib/control.cjs');

function derive() {
  crypto.pbkdf2('password', 'salt', 20000, 32, 'sha512', derive);
}

derive();
derive();
serve();
