/* SPDX-License-Identifier: Apache-2.0 */

/* Requests that go out by undici, whose is fetch(). */

function hasTraceparent(headers) {
  if (typeof headers === "string")
    return /^traceparent:/mi.test(headers);
  return Array.isArray(headers) && headers.some(isTraceparent);
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
  if (!hasTraceparent(request.headers))
    for (const [key, value] of span.headers())
      request.addHeader(key, value);
}

function endUndici(request, error) {
  const span = spanOf.get(request);
  if (span === undefined)
    return;
  spanOf.delete(request);
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
