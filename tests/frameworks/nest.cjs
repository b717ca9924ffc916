// SPDX-License-Identifier: Apache-2.0
'use strict';

require('reflect-metadata');
const { PassThrough } = require('node:stream');
const { Controller, Get, Module, Param, Post, StreamableFile } = require('@nestjs/common');
const { NestFactory } = require('@nestjs/core');
const { callOut, fail, never, stream } = require('./handlers.cjs');

/** Decorate as a compiler of TypeScript does it. */
function decorate(target, name, method, hasId) {
  const { prototype } = target;
  if (hasId) Param('id')(prototype, name, 0);
  method(prototype, name, Object.getOwnPropertyDescriptor(prototype, name));
}

function makeControllers(url) {
  class All {
    sayId(id) {
      return { id };
    }

    order() {
      return { ok: true };
    }

    stream() {
      const pieces = new PassThrough();
      stream(pieces);
      return new StreamableFile(pieces);
    }

    out(id) {
      return callOut(url, id);
    }

    late() {
      return never();
    }
  }
  class Shops {
    fail() {
      fail();
    }
  }
  decorate(All, 'sayId', Get(['users/:id', 'admin/users/:id']), true);
  decorate(All, 'order', Post('orders/:id'));
  decorate(All, 'stream', Get('stream/:id'));
  decorate(All, 'out', Get('out/:id'), true);
  decorate(All, 'late', Get('late/:id'));
  decorate(Shops, 'fail', Get('fail/:id'));
  Controller()(All);
  Controller('shops/:shop')(Shops);
  return [All, Shops];
}

/** On what an adapter stands for: express or fastify. */
module.exports = (makeAdapter) => async (url) => {
  class App {}
  Module({ controllers: makeControllers(url) })(App);
  const app = await NestFactory.create(App, makeAdapter(), { logger: false });
  await app.listen(0, '127.0.0.1');
  return app.getHttpServer().address().port;
};
