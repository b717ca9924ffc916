// SPDX-License-Identifier: Apache-2.0
'use strict';

// A server with three routes that cost 3, 2 and 1 parts; the test makes the requests.

const http = require('node:http');
const { serve } = require('./lib/control.cjs');

function burn(parts) {
  let sum = 0;
  for (let i = 0; i < parts * 100000; i++) sum = (sum * 31 + i) | 0;
  return sum;
}

function handleReport(response) {
  response.end(JSON.stringify({ sum: burn(3) }));
}

async function handleOrder(response) {
  await new Promise((resolve) => setTimeout(resolve, 1));
  response.end(JSON.stringify({ sum: burn(2) }));
}

function handlePage(response) {
  response.end(`<p>${burn(1)}</p>`);
}

const routes = { '/report': handleReport, '/order': handleOrder, '/page': handlePage };

const server = http.createServer(function onRequest(request, response) {
  routes[request.url](response);
});

server.listen(0, '127.0.0.1', () => {
  serve({ port: () => server.address().port });
});
