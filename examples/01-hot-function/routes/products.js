// SPDX-License-Identifier: Apache-2.0
import { findOffer } from '../lib/catalogue.js';
import { search } from '../lib/search.js';

const offer = {
  type: 'object',
  properties: {
    id: { type: 'integer' },
    name: { type: 'string' },
    brand: { type: 'string' },
    model: { type: 'integer' },
    supplier: { type: 'string' },
    cents: { type: 'integer' },
  },
};

const searchSchema = {
  querystring: {
    type: 'object',
    required: ['q'],
    properties: {
      q: { type: 'string', minLength: 1, maxLength: 100 },
      limit: { type: 'integer', minimum: 1, maximum: 100, default: 20 },
    },
  },
  response: {
    200: {
      type: 'object',
      properties: { query: { type: 'string' }, offers: { type: 'array', items: offer } },
    },
  },
};

const offerSchema = {
  params: { type: 'object', properties: { id: { type: 'integer' } } },
  response: { 200: offer },
};

export default async function products(app) {
  app.get('/search', { schema: searchSchema }, async (request) => {
    const { q, limit } = request.query;
    return { query: q, offers: search(q, limit) };
  });

  app.get('/offers/:id', { schema: offerSchema }, async (request, reply) => {
    const found = findOffer(request.params.id);
    return found ?? reply.code(404).send({ message: 'no such offer' });
  });
}
