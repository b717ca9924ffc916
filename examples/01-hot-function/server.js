// SPDX-License-Identifier: Apache-2.0
import view from '@fastify/view';
import { Eta } from 'eta';
import Fastify from 'fastify';

import orders from './routes/orders.js';
import pages from './routes/pages.js';
import products from './routes/products.js';

const app = Fastify();

app.register(view, {
  engine: { eta: new Eta() },
  templates: new URL('views', import.meta.url).pathname,
});
app.register(products);
app.register(pages);
app.register(orders);

const address = await app.listen({ port: Number(process.env.PORT ?? 3000) });
console.log(`listening on ${address}, pid ${process.pid}`);

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => app.close());
}
