// SPDX-License-Identifier: Apache-2.0
'use strict';

// A server that asks itself once, and ends with the status 3.

const http = require('node:http');

const server = http.createServer((request, response) => {
  setTimeout(() => response.end('hello'), 20);
});

function ask() {
  http.get({ port: server.address().port, path: '/users/7?secret=1' }, (response) => {
    response.resume();
    response.on('end', () => {
      process.exitCode = 3;
      // Long enough for nodiag to find it.
      setTimeout(() => server.close(), 1000);
    });
  });
}

// Not before the loop has waited for the first time: until then requests are not followed.
server.listen(0, '127.0.0.1', () => setTimeout(ask, 10));
