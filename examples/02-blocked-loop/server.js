// SPDX-License-Identifier: Apache-2.0
import Fastify from 'fastify';

import { exportOrders } from './lib/export.js';
import { isPassword } from './lib/password.js';

const app = Fastify();

app.get('/status', async () => ({ ok: true }));

app.post('/login', async (request) => {
  const { user, password } = request.body;
  return { ok: isPassword(user, password) };
});

app.get('/export', async (request, reply) => {
  reply.type('text/csv');
  return exportOrders();
});

const address = await app.listen({ port: Number(process.env.PORT ?? 3000) });
console.log(`listening on ${address}, pid ${process.pid}`);

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => app.close());
}
