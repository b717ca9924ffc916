// SPDX-License-Identifier: Apache-2.0
'use strict';
const EventEmitter = require('node:events');

/** Says 'change' when prices change, several times a day. */
const priceFeed = new EventEmitter();
priceFeed.setMaxListeners(0);

let level = 100;

setInterval(() => {
  level++;
  priceFeed.emit('change', level);
}, 3_600_000).unref();

module.exports = { priceFeed, currentLevel: () => level };
