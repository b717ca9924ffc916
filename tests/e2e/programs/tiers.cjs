// SPDX-License-Identifier: Apache-2.0
'use strict';

// One hot function, for runs with flags that hold V8 at one tier.

const { forever, serve } = require('./lib/control.cjs');

function step(value, i) {
  return (value * 31 + i) | 0;
}

function hot(count) {
  let value = 0;
  for (let i = 0; i < count; i++) value = step(value, i);
  return value;
}

forever(() => hot(400000));
serve();
