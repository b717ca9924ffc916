// SPDX-License-Identifier: Apache-2.0
'use strict';
const { priceFeed, currentLevel } = require('./prices.js');

class Offer {
  constructor(path) {
    this.path = path;
    this.price = currentLevel();
    this.variants = Array.from({ length: 50 }, (_, i) => ({ size: i, price: this.price + i / 2 }));
  }
}

function makeOffer(path) {
  const offer = new Offer(path);
  // So that an offer on its way is never out of date. It never ends, however.
  priceFeed.on('change', function updatePrice(level) {
    offer.price = level;
  });
  return offer;
}

module.exports = { makeOffer };
