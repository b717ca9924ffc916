// SPDX-License-Identifier: Apache-2.0
'use strict';

// Each request in a store of its own, as loggers do to know whose line it is; to be preloaded.

const { AsyncLocalStorage } = require('node:async_hooks');
const { Server } = require('node:http');

const storage = new AsyncLocalStorage();
const { emit } = Server.prototype;

Server.prototype.emit = function (name, ...given) {
  if (name !== 'request') return emit.call(this, name, ...given);
  return storage.run({}, () => emit.call(this, name, ...given));
};
