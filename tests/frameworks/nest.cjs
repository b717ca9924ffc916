// SPDX-License-Identifier: Apache-2.0
'use strict';

require('reflect-metadata');
const { PassThrough } = require('node:stream');
const common = require('@nestjs/common');
const { NestFactory } = require('@nestjs/core');
const { callOut, fail, never, stream } = require('./handlers.cjs');

const { Controller, Get, Module, Param, Post, Res, StreamableFile } = common;

/** Decorate as a compiler of TypeScript does it. */
function decorate(target, name, method, argument) {
  const { prototype } = target;
  argument?.(prototype, name, 0);
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

    late(response) {
      return never(response.raw ?? response);
    }
  }
  class Shops {
    fail() {
      fail();
    }
  }
  decorate(All, 'sayId', Get(['users/:id', 'admin/users/:id']), Param('id'));
  decorate(All, 'order', Post('orders/:id'));
  decorate(All, 'stream', Get('stream/:id'));
  decorate(All, 'out', Get('out/:id'), Param('id'));
  decorate(All, 'late', Get('late/:id'), Res());
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
