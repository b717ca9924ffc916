// SPDX-License-Identifier: Apache-2.0
'use strict';

// Time that is spent below JavaScript: in OpenSSL, in zlib, and in V8's own C++.

const crypto = require('node:crypto');
const zlib = require('node:zlib');
const { forever, serve } = require('./lib/control.cjs');
const { Truth } = require('./lib/truth.cjs');

const text = Array.from({ length: 20000 }, (_, i) => `line ${(i * 7919) % 10007}`).join('\n');
const data = { rows: Array.from({ length: 4000 }, (_, i) => ({ id: i, name: `name ${i}` })) };
const truth = new Truth();

function deriveKey() {
  return crypto.pbkdf2Sync('password', 'salt', 8000, 32, 'sha512');
}

function compress() {
  return zlib.gzipSync(text);
}

function serialise() {
  return JSON.parse(JSON.stringify(data)).rows.length;
}

forever(() => {
  truth.time('deriveKey', deriveKey);
  truth.time('compress', compress);
  truth.time('serialise', serialise);
  truth.endRound();
});
serve({ report: (from, to) => truth.report(Number(from), Number(to)) });
