/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Where the program has a tracer of its own, requests are followed all the same, but that tracer
 * makes the ids, tells other services, and sends. They are read off it where they can be: not when
 * a request is read, since it makes its span a moment later, but from then on.
 */

const openTracer = Symbol.for("opentelemetry.js.api.1");
const openSpan = Symbol.for("OpenTelemetry Context Key SPAN"); /* as its API names it to all */
const OPEN_SERVER = 1; /* its SpanKind.SERVER */
const datadog = Symbol.for("dd-trace");

const NO_SPAN_ID = "0".repeat(16); /* the trace is known, and the span is not */

let observes = false;

function hasOtherTracer() {
  return globalThis[openTracer]?.trace !== undefined || globalThis._ddtrace !== undefined ||
    globalThis[datadog] !== undefined;
}

/* A span within the request's own has its trace. */
function writeIds(traceId, spanId, isServer) {
  const ids = `00-${traceId}-${isServer ? spanId : NO_SPAN_ID}-00`;
  return ids.length === TRACEPARENT_LENGTH ? ids : undefined;
}

function readOpenTelemetry() {
  const span = globalThis[openTracer]?.context?.active().getValue(openSpan);
  const ids = span?.spanContext();
  return ids && writeIds(ids.traceId, ids.spanId, span.kind === OPEN_SERVER);
}

function readDatadog() {
  const ids = globalThis._ddtrace?.scope?.().active()?.context();
  const kind = ids?._tags?.["span.kind"];
  return ids && writeIds(ids.toTraceId(true), ids.toSpanId(true), kind === "server");
}

/*
 * Both follow what is asynchronous in the same way, so while the request is the current one here,
 * what is active there is about it too.
 */
function observe(scope) {
  if (!observes || scope === undefined || context.get() !== scope)
    return;
  const origin = scope.takeOrigin();
  if (origin.seen === undefined || origin.seen.includes(NO_SPAN_ID, TRACEPARENT_SPAN))
    origin.seen = readOpenTelemetry() ?? readDatadog() ?? origin.seen;
}

/* Which request is being handled. */
function findCurrent() {
  const scope = context.get();
  observe(scope);
  return scope;
}
