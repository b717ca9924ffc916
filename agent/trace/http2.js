/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Requests of HTTP/2. A server's come as streams of a session. Node 22 tells of each; before, it is
 * the server that is heard of, then its sessions, then their streams.
 */

const REQUEST = 1; /* the side that began a stream: an odd number is a client's */

const followed = new Map(); /* by emitter: how to let go of it */

/* Hear an event before the program does, as long as the emitter is open. */
function follow(emitter, event, listener) {
  if (followed.has(emitter))
    return;
  function letGo() {
    followed.delete(emitter);
    emitter.removeListener(event, listener);
    emitter.removeListener("close", letGo);
  }
  emitter.prependListener(event, listener);
  emitter.on("close", letGo);
  followed.set(emitter, letGo);
}

function findSymbol(object, description) {
  return Object.getOwnPropertySymbols(object).find((key) => key.description === description);
}

function beginStream(stream, headers) {
  const span = new Span(SERVER, undefined);
  const { session } = stream;
  span.flags = session?.encrypted ? TLS : 0;
  span.peer = session?.socket?.remoteAddress;
  span.method = headers[":method"];
  span.target = headers[":path"];
  span.host = headers[":authority"] ?? headers.host;
  if (headers.traceparent !== undefined)
    setRemote(span.scope, headers.traceparent, headers.tracestate);
  if (headers.baggage !== undefined)
    setBaggage(span.scope, headers.baggage);
  spanOf.set(stream, span);
  /* What arrives of its body is handled in the stream's own name, not in the session's. */
  context.followBody(stream, span, stream[findSymbol(stream, "kHandle")]);
  span.begin();
  return span;
}

function endStream(stream) {
  const span = spanOf.get(stream);
  if (span === undefined)
    return;
  spanOf.delete(stream);
  observe(span.scope);
  context.leave(span);
  if (stream.aborted)
    span.flags |= ABORTED;
  if (span.handled !== undefined)
    span.route ??= findRoute(span);
  span.end(stream.sentHeaders?.[":status"] ?? 0, 20);
}

/* Its turn: what the session does in the same callback of libuv is no part of the request. */
const onStream = guard((stream, headers) => {
  if (!isOn || stream.id % 2 !== REQUEST)
    return;
  let span = spanOf.get(stream);
  if (span === undefined) {
    span = beginStream(stream, headers);
    stream.once("close", guard(() => endStream(stream)));
  }
  context.enter(span);
});

const onSession = guard((session) => follow(session, "stream", onStream));

function onStreamCreated({ stream, headers }) {
  if (stream.id % 2 !== REQUEST)
    return;
  follow(stream.session, "stream", onStream);
  beginStream(stream, headers);
}

function followServer(server) {
  if (/^Http2(Secure)?Server$/.test(server?.constructor?.name))
    follow(server, "session", onSession);
}

/* On Node 18 a server is heard of with its first connection, whose session is there already. */
function onServerSocket({ socket }) {
  followServer(socket.server);
  const session = socket[findSymbol(socket, "kSession")];
  if (session !== undefined && followed.has(socket.server))
    onSession(session);
}

function followHttp2Servers(diagnostics) {
  if (process.versions.node.split(".")[0] >= 22) {
    listen(diagnostics, "http2.server.stream.created", guard(onStreamCreated));
    listen(diagnostics, "http2.server.stream.close", guard(({ stream }) => endStream(stream)));
    return;
  }
  listen(diagnostics, "net.server.socket", guard(onServerSocket));
  listen(diagnostics, "tracing:net.server.listen:asyncStart",
    guard(({ server }) => followServer(server)));
  process._getActiveHandles().forEach(followServer);
}

function endHttp2Client(stream, span) {
  const { session } = span.request;
  span.peer = session.destroyed ? span.peer : session.socket?.remoteAddress;
  if (span.error === undefined && stream.rstCode !== 0)
    span.flags |= ABORTED;
  span.end(span.response ?? 0, 20);
}

/* A stream that is asked for; its headers are as they were sent, but for what was told before. */
function beginHttp2Client(session, stream, span, given) {
  const sent = stream.sentHeaders ?? (Array.isArray(given) ? {} : given ?? {});
  span.flags = session.encrypted ? TLS : 0;
  span.method = sent[":method"] ?? "GET";
  span.target = sent[":path"] ?? "/";
  span.host = sent[":authority"] ?? sent.host;
  span.request = { session };
  span.begin();
  stream.once("response", guard((headers) => {
    span.response = headers[":status"];
    span.peer = session.socket?.remoteAddress;
  }));
  stream.on(errorMonitor, guard((error) => {
    span.error = nameError(error);
  }));
  stream.once("close", guard(() => endHttp2Client(stream, span)));
}

/* undici, which tells of its requests itself, has them by a session too. */
function isOfUndici(headers) {
  return undiciTraces.size > 0 && undiciTraces.has(headers?.traceparent);
}

function addToHttp2Headers(given, span) {
  if (Array.isArray(given))
    return [...given, ...span.headers((wanted) => isListed(given, wanted)).flat()];
  const names = Object.keys(given ?? {});
  return { ...given, ...Object.fromEntries(span.headers((wanted) => isListed(names, wanted))) };
}

function wrapHttp2Session(prototype) {
  watchMethod(prototype, {
    name: "request",
    before(given) {
      if (isOfUndici(given[0]) || (given[0] !== undefined && typeof given[0] !== "object"))
        return undefined;
      const span = new Span(CLIENT, context.get());
      given[0] = addToHttp2Headers(given[0], span);
      return span;
    },
    note(given, stream, session, span) {
      if (span !== undefined)
        beginHttp2Client(session, stream, span, given[0]);
    },
  });
}

let hasHttp2Client = false;

/*
 * The class of sessions is only had by one. Loading the module for a program that does not use it
 * would cost that 7 MB.
 */
function findHttp2Client() {
  if (hasHttp2Client || !process.moduleLoadList.includes("NativeModule http2"))
    return;
  hasHttp2Client = true;
  const { Duplex } = load("stream");
  const nowhere = new Duplex({ read() {}, write: (chunk, encoding, done) => done() });
  const session = load("http2").connect("http://localhost", { createConnection: () => nowhere });
  session.on("error", () => {});
  session.destroy();
  wrapHttp2Session(Object.getPrototypeOf(session));
}

function followHttp2(diagnostics) {
  followHttp2Servers(diagnostics);
  findHttp2Client();
  cleanups.push(() => {
    hasHttp2Client = false;
    followed.forEach((letGo) => letGo());
  });
}
