// SPDX-License-Identifier: Apache-2.0
'use strict';

const { PassThrough } = require('node:stream');
const Router = require('@koa/router');
const Koa = require('koa');
const { callOut, fail, never, readBody, stream } = require('./handlers.cjs');

module.exports = (url) => {
  const app = new Koa({ silent: true });
  const router = new Router();
  const shops = new Router();
  router.get('/users/:id', (ctx) => {
    ctx.body = { id: ctx.params.id };
  });
  router.post('/orders/:id', async (ctx) => {
    ctx.status = 201;
    ctx.body = { length: (await readBody(ctx.req)).length };
  });
  router.get('/stream/:id', (ctx) => {
    ctx.body = new PassThrough();
    stream(ctx.body);
  });
  router.get('/out/:id', async (ctx) => {
    ctx.body = await callOut(url, ctx.params.id);
  });
  router.get('/late/:id', (ctx) => never(ctx.res));
  shops.get('/fail/:id', fail);
  router.use('/shops/:shop', shops.routes());
  router.get('/admin/users/:id', (ctx) => {
    ctx.body = { id: ctx.params.id };
  });
  app.silent = true;
  app.use(router.routes());
  return new Promise((done) => {
    const server = app.listen(0, '127.0.0.1', () => done(server.address().port));
  });
};
