// SPDX-License-Identifier: Apache-2.0
'use strict';

// usage: recursion.cjs DEPTH: stacks of that depth with a known leaf.

const { forever, serve } = require('./lib/control.cjs');

const depth = Number(process.argv[2]);

function leaf(count) {
  let sum = 0;
  for (let i = 0; i < count; i++) sum = (sum ^ (i * 13)) | 0;
  return sum;
}

function descend(left) {
  if (left === 0) return leaf(3e6);
  return descend(left - 1) + 1;
}

function root() {
  return descend(depth - 1);
}

forever(root);
serve();
