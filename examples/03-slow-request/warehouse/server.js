// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from 'node:timers/promises';

import express from 'express';

/** What is not on the shelves has to be asked for in another town. */
const ELSEWHERE_MS = 400;

const app = express();

app.get('/stock/:id', async (request, response) => {
  const id = Number(request.params.id);
  const isHere = id % 25 !== 0;
  if (!isHere) await sleep(ELSEWHERE_MS);
  response.json({ id, count: (id * 7919) % 100, isHere });
});

const server = app.listen(Number(process.env.PORT ?? 3001), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}, pid ${process.pid}`);
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => server.close());
}
