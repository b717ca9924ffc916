/* SPDX-License-Identifier: Apache-2.0 */

/* Requests of HTTP/2. */

/* A stream with an even number is one that the server pushes: no request. */
function onStream({ stream, headers }) {
  if (stream.id % 2 === 0)
    return;
  const span = new Span(SERVER, undefined);
  const socket = stream.session?.socket;
  span.flags = stream.session?.encrypted ? TLS : 0;
  span.peer = socket?.remoteAddress;
  span.method = headers[":method"];
  span.target = headers[":path"];
  span.host = headers[":authority"] ?? headers.host;
  if (headers.traceparent !== undefined)
    setRemote(span, headers.traceparent, headers.tracestate);
  spanOf.set(stream, span);
  context.followBody(stream, span);
  span.begin();
  context.enter(span);
}

function onStreamClose({ stream }) {
  const span = spanOf.get(stream);
  if (span === undefined)
    return;
  spanOf.delete(stream);
  context.leave(span);
  if (stream.aborted)
    span.flags |= ABORTED;
  if (span.handled !== undefined)
    span.route ??= findRoute(span);
  span.end(stream.sentHeaders?.[":status"] ?? 0, 20);
}

function followHttp2(diagnostics) {
  listen(diagnostics, "http2.server.stream.created", guard(onStream));
  listen(diagnostics, "http2.server.stream.close", guard(onStreamClose));
}
