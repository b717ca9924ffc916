/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What loggers ask for, so that lines of a log can be found by the trace (docs/recipes/logs.md).
 * It is there while requests are followed, and where a tracer of the program's own has the ids, it
 * has none.
 */

const logContext = Symbol.for("nodiag.context");

function findIds() {
  try {
    const scope = observes ? undefined : context.get();
    const traceparent = scope && nameSpan(scope.number, scope);
    const [, traceId, spanId, flags] = traceparent?.split("-") ?? [];
    return traceId && { trace_id: traceId, span_id: spanId, trace_flags: flags };
  } catch {
    return undefined;
  }
}

function offerIds() {
  Object.defineProperty(globalThis, logContext, { value: findIds, configurable: true });
  cleanups.push(() => {
    if (globalThis[logContext] === findIds)
      delete globalThis[logContext];
  });
}
