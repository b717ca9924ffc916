/* SPDX-License-Identifier: Apache-2.0 */

/* Requests that go out by undici, whose is fetch(). */

const undiciTraces = new Set(); /* the "traceparent" of each request that is under way */

/* Of what undici keeps headers as, by its version. */
function hasUndiciHeader(headers, wanted) {
  if (typeof headers === "string")
    return hasLine(headers, wanted);
  return Array.isArray(headers) && isListed(headers, wanted);
}

function onUndiciCreate({ request }) {
  const span = new Span(CLIENT, findCurrent());
  const [scheme, host] = String(request.origin).split("://");
  span.flags = scheme === "https" ? TLS : 0;
  span.method = request.method;
  span.target = request.path;
  span.host = host;
  spanOf.set(request, span);
  span.begin();
  for (const [key, value] of span.headers((wanted) => hasUndiciHeader(request.headers, wanted))) {
    request.addHeader(key, value);
    if (key === "traceparent")
      undiciTraces.add(span.sent = value);
  }
}

function endUndici(request, error) {
  const span = spanOf.get(request);
  if (span === undefined)
    return;
  spanOf.delete(request);
  undiciTraces.delete(span.sent);
  span.error = error && nameError(error);
  span.end(span.response ?? 0, 11);
}

function onUndiciSend({ request, socket }) {
  const span = spanOf.get(request);
  if (span !== undefined)
    span.peer = socket?.remoteAddress;
}

function onUndiciHeaders({ request, response }) {
  const span = spanOf.get(request);
  if (span !== undefined)
    span.response = response.statusCode;
}

function followUndici(diagnostics) {
  listen(diagnostics, "undici:request:create", guard(onUndiciCreate));
  listen(diagnostics, "undici:client:sendHeaders", guard(onUndiciSend));
  listen(diagnostics, "undici:request:headers", guard(onUndiciHeaders));
  listen(diagnostics, "undici:request:trailers", guard(({ request }) => endUndici(request)));
  listen(diagnostics, "undici:request:error",
    guard(({ request, error }) => endUndici(request, error)));
}
