// SPDX-License-Identifier: Apache-2.0
'use strict';

const { PassThrough } = require('node:stream');
const Hapi = require('@hapi/hapi');
const { callOut, fail, never, stream } = require('./handlers.cjs');

function answerInPieces() {
  const pieces = new PassThrough();
  stream(pieces);
  return pieces;
}

module.exports = async (url) => {
  const server = Hapi.server({ port: 0, host: '127.0.0.1', debug: false });
  const order = ({ payload }, h) => h.response(payload).code(201);
  const sayId = ({ params }) => ({ id: params.id });
  server.route([
    { method: 'GET', path: '/users/{id}', handler: sayId },
    { method: 'POST', path: '/orders/{id}', handler: order },
    { method: 'GET', path: '/stream/{id}', handler: answerInPieces },
    { method: 'GET', path: '/out/{id}', handler: ({ params }) => callOut(url, params.id) },
    { method: 'GET', path: '/late/{id}', handler: ({ raw }) => never(raw.res) },
    { method: 'GET', path: '/shops/{shop}/fail/{id}', handler: fail },
    { method: 'GET', path: '/admin/users/{id}', handler: sayId },
  ]);
  await server.start();
  return server.info.port;
};
