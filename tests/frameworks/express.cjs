// SPDX-License-Identifier: Apache-2.0
'use strict';

const { callOut, fail, never, readBody, stream } = require('./handlers.cjs');

/** Both versions have the same names. */
module.exports = (express) => (url) => {
  const app = express();
  const shops = express.Router();
  const failures = express.Router();
  const admin = express();

  app.get('/users/:id', (request, response) => response.json({ id: request.params.id }));
  app.post('/orders/:id', async (request, response) => {
    response.status(201).json({ length: (await readBody(request)).length });
  });
  app.get('/stream/:id', (request, response) => stream(response));
  app.get('/out/:id', async (request, response) => {
    response.json(await callOut(url, request.params.id));
  });
  app.get('/late/:id', (request, response) => never(response));
  // A router in a router, of which the outer one is there twice.
  failures.get('/:id', fail);
  shops.use('/fail', failures);
  app.use('/shops/:shop', shops);
  app.use('/stores/:shop', shops);
  app.use('/admin', admin);
  admin.get('/users/:id', (request, response) => response.json({ id: request.params.id }));
  // What was thrown is not to be seen by who reads the test's output.
  app.use((error, request, response, next) => response.status(500).json({ error: error.message }));
  return new Promise((done) => {
    const server = app.listen(0, '127.0.0.1', () => done(server.address().port));
  });
};
