// SPDX-License-Identifier: Apache-2.0

// Takes requests of OTLP, and looks at nothing in them.

import { createServer } from 'node:http';

const server = createServer((request, response) => {
  request.resume();
  request.on('end', () => response.end());
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
