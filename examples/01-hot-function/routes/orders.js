// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from 'node:timers/promises';

import { findOffer } from '../lib/catalogue.js';

const orderSchema = {
  body: {
    type: 'object',
    required: ['offers'],
    properties: { offers: { type: 'array', items: { type: 'integer' }, maxItems: 50 } },
  },
};

export default async function orders(app) {
  app.post('/orders', { schema: orderSchema }, async (request, reply) => {
    const items = await reserve(request.body.offers);
    const payment = await charge(items);
    return reply.code(201).send({ items, payment });
  });
}

// The stock and the bank are elsewhere; both take their time.

async function reserve(ids) {
  await sleep(2);
  return ids.map(findOffer).filter(Boolean);
}

async function charge(items) {
  const cents = items.reduce((sum, offer) => sum + offer.cents, 0);
  await sleep(5);
  return { cents, currency: 'EUR' };
}
