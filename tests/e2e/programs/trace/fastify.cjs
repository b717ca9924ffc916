// SPDX-License-Identifier: Apache-2.0
'use strict';

const app = require('fastify')();
const { serve } = require('../lib/control.cjs');
const { callOut, readBody, sleep, stream } = require('./routes.cjs');

const url = process.argv[2];

app.addContentTypeParser('*', (request, payload, done) => done());
app.get('/users/:id', async (request) => ({ id: request.params.id }));
app.post('/orders/:id', async (request, reply) => {
  const body = await readBody(request.raw);
  return reply.code(201).send({ length: body.length });
});
app.get('/stream/:id', (request, reply) => {
  reply.hijack();
  stream(reply.raw);
});
app.get('/out/:id', (request) => callOut(url, request.params.id));
app.get('/late/:id', async (request, reply) => {
  reply.raw.writeProcessing();
  await sleep(60_000, undefined, { ref: false });
  return reply.send();
});
app.get('/fail/:id', async () => {
  throw new Error('on purpose');
});

app.listen({ port: 0, host: '127.0.0.1' }).then(() => {
  serve({ port: () => app.server.address().port });
});
