/* SPDX-License-Identifier: Apache-2.0 */

/* Requests of HTTP/1 that come in. */

/* A program that loads a tracer, or its framework, does so before so many requests. */
const LOOKS = 64;

const connectionOf = new WeakMap(); /* by a server's socket */
const connections = new Set();

/*
 * From the list in which they came; request.headers would be made for us alone. Returns whether
 * there is a body.
 */
function readHeaders(span, raw) {
  let hasBody = false, remote, state, baggage;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const first = raw[i].charCodeAt(0) | 32;
    if (first === 104 /* h */ && span.host === undefined &&
        (raw[i] === "Host" || isName(raw[i], "host"))) {
      span.host = raw[i + 1];
    } else if (first === 116 /* t */) {
      if (isName(raw[i], "traceparent"))
        remote = raw[i + 1];
      else if (isName(raw[i], "tracestate"))
        state = state === undefined ? raw[i + 1] : `${state},${raw[i + 1]}`;
      else
        hasBody ||= isName(raw[i], "transfer-encoding");
    } else if (first === 99 /* c */) {
      hasBody ||= isName(raw[i], "content-length");
    } else if (first === 98 /* b */ && isName(raw[i], "baggage")) {
      baggage = baggage === undefined ? raw[i + 1] : `${baggage},${raw[i + 1]}`;
    }
  }
  if (remote !== undefined)
    setRemote(span.scope, remote, state);
  if (baggage !== undefined)
    setBaggage(span.scope, baggage);
  return hasBody;
}

/* What is known of a socket, and the requests on it that are not answered yet, last one first. */
function addConnection(socket) {
  const connection = {
    socket,
    spans: undefined,
    peer: socket.remoteAddress,
    flags: socket.encrypted ? TLS : 0,
    leaveTimer: undefined,
    resource: undefined, /* that its requests come by, and its id */
    resourceId: -1,
    number: 0, /* of its last request, as are the next two */
    method: undefined,
    host: undefined,
    onClose() {
      try {
        connections.delete(connection);
        context.expectTimer(undefined); /* which would keep the socket */
        while (connection.spans !== undefined)
          endServer(connection.spans, ABORTED);
      } catch {
        tell();
      }
    },
  };
  connectionOf.set(socket, connection);
  socket.on("close", connection.onClose);
  connections.add(connection);
  connection.leaveTimer = context.followTimer(socket);
  return connection;
}

function removeConnection(connection) {
  connection.socket.removeListener("close", connection.onClose);
  connection.leaveTimer?.();
  connectionOf.delete(connection.socket);
  connections.delete(connection);
}

/* The number of the connection's last request, if that was one like this. */
function findLike(connection, { number, method, host }) {
  let like = connection.number;
  if (connection.method !== method || connection.host !== host) {
    connection.method = method;
    connection.host = host;
    like = 0;
  }
  connection.number = number;
  return like;
}

function unlink(span) {
  const { connection } = span;
  if (connection.spans === span) {
    connection.spans = span.next;
    return;
  }
  for (let before = connection.spans; before !== undefined; before = before.next)
    if (before.next === span)
      before.next = span.next;
}

function endServer(span, flags) {
  const { request, response } = span;
  observe(span.scope);
  unlink(span);
  context.leave(span);
  span.flags |= flags;
  span.route ??= findRoute(span, request);
  span.end(flags !== 0 && !response.headersSent ? 0 : response.statusCode,
    request.httpVersionMajor * 10 + request.httpVersionMinor);
}

function onRequest({ request, response, socket }) {
  try {
    if (number < LOOKS) {
      if (!observes && hasOtherTracer()) {
        observes = true;
        tell(OBSERVED);
      }
      findFrameworks();
      findHttp2Client();
    }
    const span = new Span(SERVER, undefined);
    const connection = connectionOf.get(socket) ?? addConnection(socket);
    span.request = request;
    span.response = response;
    span.connection = connection;
    span.flags = connection.flags;
    span.peer = connection.peer;
    span.method = request.method;
    span.target = request.url;
    span.next = connection.spans;
    connection.spans = span;
    if (readHeaders(span, request.rawHeaders))
      context.followBody(request, span);
    span.begin(findLike(connection, span));
    context.enter(span);
  } catch {
    tell();
  }
}

function findServerSpan(request) {
  /* Mostly that of what was executed last, which is found without looking. */
  let span = context.latest();
  if (span?.request === request)
    return span;
  span = spanOf.get(request.stream);
  if (span !== undefined)
    return span;
  span = connectionOf.get(request.socket)?.spans;
  while (span !== undefined && span.request !== request)
    span = span.next;
  return span;
}

function onResponse({ request, socket, server }) {
  try {
    const span = findServerSpan(request);
    if (span !== undefined)
      endServer(span, 0);
    context.expectTimer(socket, server);
  } catch {
    tell();
  }
}

function followServers(diagnostics) {
  listen(diagnostics, "http.server.request.start", onRequest);
  listen(diagnostics, "http.server.response.finish", onResponse);
  cleanups.push(() => connections.forEach(removeConnection));
}
