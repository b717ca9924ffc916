// SPDX-License-Identifier: Apache-2.0
'use strict';

const express = require('express');
const { serve } = require('../lib/control.cjs');
const { callOut, readBody, sleep, stream } = require('./routes.cjs');

const url = process.argv[2];
const app = express();
const orders = express.Router();

app.get('/users/:id', (request, response) => response.json({ id: request.params.id }));
orders.post('/:id', async (request, response) => {
  const body = await readBody(request);
  response.status(201).json({ length: body.length });
});
app.use('/orders', orders);
app.get('/stream/:id', (request, response) => stream(response));
app.get('/out/:id', async (request, response) => {
  response.json(await callOut(url, request.params.id));
});
app.get('/late/:id', async (request, response) => {
  response.writeProcessing();
  await sleep(60_000, undefined, { ref: false });
  response.end();
});
app.get('/fail/:id', () => {
  throw new Error('on purpose');
});
// What was thrown is not to be seen by who reads the test's output.
app.use((error, request, response, next) => response.status(500).json({ error: error.message }));

const server = app.listen(0, '127.0.0.1', () => {
  // On a busy machine a connection may be idle for long and be used in the moment it is closed.
  server.keepAliveTimeout = 0;
  serve({ port: () => server.address().port });
});
