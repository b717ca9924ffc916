// SPDX-License-Identifier: Apache-2.0
'use strict';

// usage: server.cjs URL FRAMEWORK...
//
// A server of each framework, with the same routes. One asks the service at URL.

const http = require('node:http');
const { serve } = require('../e2e/programs/lib/control.cjs');

const inE2e = (name) => require(require.resolve(name, { paths: [`${__dirname}/../e2e`] }));

/** Some of them do not run on all Node lines: none is loaded that is not asked for. */
const frameworks = {
  express4: () => require('./express.cjs')(require('express')),
  express5: () => require('./express.cjs')(inE2e('express')),
  fastify4: () => require('./fastify.cjs')(require('fastify')),
  fastify5: () => require('./fastify.cjs')(inE2e('fastify')),
  koa: () => require('./koa.cjs'),
  hapi: () => require('./hapi.cjs'),
  nestExpress: () => {
    const { ExpressAdapter } = require('@nestjs/platform-express');
    return require('./nest.cjs')(() => new ExpressAdapter());
  },
  nestFastify: () => {
    const { FastifyAdapter } = require('@nestjs/platform-fastify');
    return require('./nest.cjs')(() => new FastifyAdapter());
  },
};

/**
 * No server closes a connection that is idle: on a busy machine it may be used in that moment, and
 * whoever does so fails for a reason that has nothing to do with what is tested.
 */
function keepConnections() {
  const { listen } = http.Server.prototype;
  http.Server.prototype.listen = function listenForLong(...args) {
    this.keepAliveTimeout = 0;
    return listen.apply(this, args);
  };
}

async function main([url, ...names]) {
  keepConnections();
  const ports = {};
  for (const name of names) ports[name] = await frameworks[name]()(url);
  serve({ ports: () => ports });
}

main(process.argv.slice(2));
