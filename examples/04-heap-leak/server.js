// SPDX-License-Identifier: Apache-2.0

// A shop with one route: an offer, at the price of the moment.
'use strict';
const { createServer } = require('node:http');

const { makeOffer } = require('./lib/offers.js');

const server = createServer((request, response) => {
  const offer = makeOffer(request.url);
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(offer));
});

if (require.main === module) {
  server.listen(3000, '127.0.0.1', () => {
    console.log(`listening on http://127.0.0.1:3000, pid ${process.pid}`);
  });
}

module.exports = { server };
