// SPDX-License-Identifier: Apache-2.0
'use strict';

// usage: datadog.cjs URL AGENT-URL
//
// A server that dd-trace traces, and whose requests ask the service at URL; dd-trace's own agent is at
// AGENT-URL.

const { createRequire } = require('node:module');
const { join } = require('node:path');

process.env.DD_INSTRUMENTATION_TELEMETRY_ENABLED = 'false';
process.env.DD_REMOTE_CONFIGURATION_ENABLED = 'false';
const from = createRequire(join(__dirname, '../../../collector/package.json'));
const tracer = from('dd-trace').init({ url: process.argv[3], startupLogs: false });

const http = require('node:http');
const { setTimeout: sleep } = require('node:timers/promises');
const { serve } = require('../lib/control.cjs');
const { ask } = require('./routes.cjs');

const url = process.argv[2];
const spans = []; // of each request: what dd-trace calls it

const server = http.createServer(async (request, response) => {
  await sleep(5);
  const ids = tracer.scope().active().context();
  spans.push({ path: request.url, traceId: ids.toTraceId(true), spanId: ids.toSpanId(true) });
  response.end(JSON.stringify(await ask(`${url}${request.url}`)));
});

server.listen(0, '127.0.0.1', () => {
  serve({ port: () => server.address().port, spans: () => spans });
});
