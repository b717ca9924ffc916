// SPDX-License-Identifier: Apache-2.0
'use strict';

// A server that tells whether Node.js follows its promises, which makes each of them dearer, and
// keeps at hand what is executed, which makes each callback so.

const { executionAsyncResource } = require('node:async_hooks');
const http = require('node:http');
const { serve } = require('./lib/control.cjs');

/** A promise that is followed has an id, by a symbol of Node.js. */
const followsPromises = () => Object.getOwnPropertySymbols(Promise.resolve()).length > 0;

/** Once it was asked what is executed. For before Node.js 24. */
function keepsResources() {
  process.noDeprecation = true;
  const { async_hook_fields: fields, constants } = process.binding('async_wrap');
  return fields[constants.kUsesExecutionAsyncResource] !== 0;
}

const server = http.createServer((request, response) => response.end());

server.listen(0, '127.0.0.1', () => {
  serve({
    port: () => server.address().port,
    follows: followsPromises,
    keeps: keepsResources,
    ask: () => typeof executionAsyncResource(),
  });
});
