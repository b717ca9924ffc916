// SPDX-License-Identifier: Apache-2.0
'use strict';

// Keeps objects of a class, more when it is asked for, or until there is no memory for them.

const { serve } = require('./lib/control.cjs');

class Planted {
  constructor(number) {
    this.number = number;
  }
}

const planted = [];

function grow(count) {
  for (let i = 0; i < count; i++) planted.push(new Planted(i));
  return planted.length;
}

grow(12345);
serve({
  collect: () => global.gc() ?? true,
  grow: (count) => grow(Number(count)),
  leak: () => setInterval(grow, 10, 5000) && true,
});
