// SPDX-License-Identifier: Apache-2.0
'use strict';

// A service that OpenTelemetry's own SDK traces. It answers everything with JSON, and what comes to
// /call/... only when it has asked the service of its argument for the rest of the path.

const { createRequire } = require('node:module');
const { join } = require('node:path');

const from = createRequire(join(__dirname, '../../../collector/package.json'));
const { HttpInstrumentation } = from('@opentelemetry/instrumentation-http');
const { NodeTracerProvider, SimpleSpanProcessor } = from('@opentelemetry/sdk-trace-node');
const { registerInstrumentations } = from('@opentelemetry/instrumentation');
const { SpanKind } = from('@opentelemetry/api');

const spans = [];
const exporter = {
  export(list, done) {
    for (const span of list)
      spans.push({
        trace: span.spanContext().traceId,
        id: span.spanContext().spanId,
        parent: span.parentSpanContext?.spanId ?? '',
        kind: SpanKind[span.kind],
      });
    done({ code: 0 });
  },
  shutdown: async () => {},
};
new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register();
registerInstrumentations({ instrumentations: [new HttpInstrumentation()] });

const http = require('node:http');
const { serve } = require('../lib/control.cjs');
const { ask } = require('./routes.cjs');

let url;
const server = http.createServer(async (request, response) => {
  const path = request.url.replace(/^\/call/, '');
  const answer = path === request.url ? {} : await ask(`${url}${path}`);
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(answer));
});
server.listen(0, '127.0.0.1', () => {
  serve({
    port: () => server.address().port,
    to: (to) => (url = to),
    spans: () => spans,
  });
});
