// SPDX-License-Identifier: Apache-2.0
import { offers } from '../lib/catalogue.js';

export default async function pages(app) {
  app.get('/', async (request, reply) => {
    return reply.view('index.eta', { offers: offers.slice(0, 24) });
  });
}
