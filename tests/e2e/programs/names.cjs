// SPDX-License-Identifier: Apache-2.0
'use strict';

// Functions of every way to be named, below text that V8 keeps in two bytes: “ž”, 漢字, 🔥.

const { forever, serve } = require('./lib/control.cjs');

const work = (count, factor) => {
  let sum = 0;
  for (let i = 0; i < count; i++) sum = (sum * factor + i) | 0;
  return sum;
};

class Shop {
  method(count) { return work(count, 3); }
  static build(count) { return work(count, 5); }
  #secret(count) { return work(count, 7); }
  get price() { return work(COUNT, 9); }
  set price(count) { work(count, 11); }
  callSecret(count) { return this.#secret(count); }
  ['computed' + 'Name'](count) { return work(count, 13); }
  [Symbol.iterator]() { return work(COUNT, 15); }
  constructor(count) { work(count, 17); }
}

const handlers = {};
handlers.onOrder = (count) => work(count, 19);
handlers.shorthand = { shorthandMethod(count) { return work(count, 21); } }.shorthandMethod;
const größe漢字 = (count) => work(count, 23);
function 名前のある関数(count) { return work(count, 25); }
const bound = function beforeBind(count) { return work(count, 27); }.bind(null);
const inherited = class extends Shop {};
const nameless = [(count) => work(count, 29), function (count) { return work(count, 31); }];
const LONG = 'veryLongName'.repeat(40);
const long = new Function(`return function ${LONG}(count, work) { return work(count, 33); }`)();

const COUNT = 400000;
forever(() => {
  const shop = new Shop(COUNT);
  shop.method(COUNT);
  Shop.build(COUNT);
  shop.callSecret(COUNT);
  shop.price = shop.price & 1 ? COUNT : COUNT + 1;
  shop.computedName(COUNT);
  shop[Symbol.iterator]();
  handlers.onOrder(COUNT);
  handlers.shorthand(COUNT);
  größe漢字(COUNT);
  名前のある関数(COUNT);
  bound(COUNT);
  new inherited(COUNT);
  nameless[0](COUNT);
  nameless[1](COUNT);
  long(COUNT, work);
});
serve();
