// SPDX-License-Identifier: Apache-2.0
'use strict';

// Functions that spend their time on known lines.
const { forever, serve } = require('./lib/control.cjs');

function hotLines(count) {
  let sum = 0;
  for (let i = 0; i < count; i++) {
    sum += slowOne(i);
    sum -= slowTwo(i);
  }
  return sum;
}

function slowOne(x) {
  let sum = 0;
  for (let i = 0; i < 2000; i++)
    sum = (sum * 31 + x) | 0;
  return sum;
}

function slowTwo(x) {
  let sum = 0;
  for (let i = 0; i < 1000; i++)
    sum = (sum * 31 + x) | 0;
  return sum;
}

forever(() => hotLines(1000));
serve();
