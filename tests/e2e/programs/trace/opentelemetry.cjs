// SPDX-License-Identifier: Apache-2.0
'use strict';

// usage: opentelemetry.cjs URL
//
// A server that OpenTelemetry traces, and whose requests ask the service at URL; those for /within
// are answered in a span within their own.

const { trace } = require('@opentelemetry/api');
const { HttpInstrumentation } = require('@opentelemetry/instrumentation-http');
const {
  InMemorySpanExporter,
  NodeTracerProvider,
  SimpleSpanProcessor,
} = require('@opentelemetry/sdk-trace-node');

const exporter = new InMemorySpanExporter();
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
provider.register();
const instrumentation = new HttpInstrumentation();
instrumentation.setTracerProvider(provider);

const http = require('node:http');
const { setTimeout: sleep } = require('node:timers/promises');
const { serve } = require('../lib/control.cjs');

const url = process.argv[2];

function ask(path) {
  return new Promise((done, fail) => {
    const request = http.get(`${url}${path}`, async (response) => {
      let text = '';
      for await (const chunk of response) text += chunk;
      done(text);
    });
    request.on('error', fail);
  });
}

async function answer(request, response) {
  await sleep(5);
  const text = await ask(request.url);
  if (request.url !== '/within') return response.end(text);
  return trace.getTracer('test').startActiveSpan('within', async (span) => {
    await sleep(5);
    response.end(text);
    span.end();
  });
}

/** All spans there were: name, kind, ids. */
function findSpans() {
  return exporter.getFinishedSpans().map((span) => ({
    kind: span.kind,
    path: span.attributes['url.path'] ?? span.attributes['http.target'],
    ...span.spanContext(),
  }));
}

const server = http.createServer(answer).listen(0, '127.0.0.1', () => {
  serve({ port: () => server.address().port, spans: findSpans });
});
