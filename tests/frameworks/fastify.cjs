// SPDX-License-Identifier: Apache-2.0
'use strict';

const { callOut, fail, never, stream } = require('./handlers.cjs');

module.exports = (fastify) => async (url) => {
  const app = fastify();
  app.get('/users/:id', async (request) => ({ id: request.params.id }));
  app.post('/orders/:id', async (request, reply) => reply.code(201).send(request.body));
  app.get('/stream/:id', (request, reply) => {
    reply.hijack();
    stream(reply.raw);
  });
  app.get('/out/:id', (request) => callOut(url, request.params.id));
  app.get('/late/:id', (request, reply) => never(reply.raw));
  app.register(async (shops) => {
    shops.get('/fail/:id', fail);
  }, { prefix: '/shops/:shop' });
  // A hook answers, and no handler begins.
  app.get('/admin/users/:id', {
    onRequest: async (request, reply) => reply.send({ id: request.params.id }),
  }, fail);
  await app.listen({ port: 0, host: '127.0.0.1' });
  return app.server.address().port;
};
