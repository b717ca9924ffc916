/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Finds the HTTP requests of one thread, and keeps which one is being handled, by Node's
 * diagnostics channels and what follows asynchronous calls. What it finds goes to agent/trace.c,
 * by functions that take a span as `enum number` and `enum argument` there have it.
 *
 * It runs in the program's own JavaScript, so nothing may be thrown out of it, no listener may
 * change what the program sees, and no request may be kept alive by it.
 */

(function nodiag(begin, end, name, tell, share) {
  "use strict";

  const SERVER = 1, CLIENT = 2; /* enum nd_span_kind */
  const TLS = 1, ABORTED = 2; /* enum nd_span_flag */
  const OFF = 0, ON = 1, NO_MODULES = 2, OTHER_TRACER = 3; /* enum nd_tracing */

  /* Versions whose ClientRequest tells of itself before its head is made. */
  const CREATED = [[22, 12], [23, 2]];

  /* A program that sets up a tracer does so before it has answered so many requests. */
  const LOOKS = 64;

  /* The trace must fit into headers that others accept (W3C Trace Context, 3.3.1.5). */
  const TRACESTATE_MAX = 512;

  const TRACEPARENT =
    /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-|$)/;
  const TRACEPARENT_LENGTH = 55;

  /* No properties, which a program would see that looks at its objects, or copies them. */
  const connectionOf = new WeakMap(); /* by a server's socket */
  const spanOf = new WeakMap(); /* by undici's request, or an HTTP/2 stream */
  const contextOf = Symbol("nodiag"); /* of an asynchronous resource, as AsyncLocalStorage has */
  const openTracer = Symbol.for("opentelemetry.js.api.1");
  const datadog = Symbol.for("dd-trace");

  /* enum number */
  const KIND = 0, FLAGS = 1, SPAN = 2, PARENT = 3, ROOT = 4, START = 5, STATUS = 6, VERSION = 7;
  const numbers = new Float64Array(8);

  const connections = new Set();
  const cleanups = [];
  let context, errorMonitor;
  let number = 0;
  let isOn = false;

  class Span {
    constructor(kind, parent) {
      this.kind = kind;
      this.flags = 0;
      this.number = ++number;
      this.parent = parent === undefined ? 0 : parent.number;
      this.root = parent === undefined ? this.number : parent.root;
      this.remote = parent === undefined ? undefined : parent.remote;
      this.state = parent === undefined ? undefined : parent.state;
      this.start = 0;
      this.method = undefined;
      this.route = undefined;
      this.target = undefined;
      this.host = undefined;
      this.peer = undefined;
      this.error = undefined;
      this.request = undefined;
      this.response = undefined;
      this.connection = undefined;
      this.resource = undefined;
      this.next = undefined; /* of the same connection */
    }

    share() {
      numbers[KIND] = this.kind;
      numbers[FLAGS] = this.flags;
      numbers[SPAN] = this.number;
      numbers[PARENT] = this.parent;
      numbers[ROOT] = this.root;
    }

    begin() {
      this.share();
      numbers[STATUS] = numbers[VERSION] = 0;
      begin(this.remote, this.method, undefined, this.target, this.host);
      this.start = numbers[START];
    }

    end(status, version) {
      if (isOn) {
        this.share();
        numbers[START] = this.start;
        numbers[STATUS] = status;
        numbers[VERSION] = version;
        end(this.remote, this.method, this.route, this.target, this.host, this.peer, this.error);
      }
      this.request = this.response = this.connection = this.resource = this.next = undefined;
    }

    /* What the request says of the trace to whoever answers it. */
    headers() {
      this.share();
      const traceparent = name(this.remote);
      /* The agent goes in the middle of a turn, and only afterwards ends what is here. */
      if (traceparent === undefined)
        return [];
      const headers = [["traceparent", traceparent]];
      if (this.state !== undefined)
        headers.push(["tracestate", this.state]);
      return headers;
    }
  }

  /* A listener out of which nothing is thrown. */
  function guard(listener) {
    return (message) => {
      try {
        listener(message);
      } catch {
        tell();
      }
    };
  }

  function isName(text, lower) {
    return text === lower || text.toLowerCase() === lower;
  }

  /* The span goes on with the trace that its request came with. */
  function setRemote(span, remote, state) {
    if (!TRACEPARENT.test(remote) ||
        (remote.startsWith("00") && remote.length !== TRACEPARENT_LENGTH))
      return;
    span.remote = remote.slice(0, TRACEPARENT_LENGTH);
    if (state !== undefined && state.length <= TRACESTATE_MAX)
      span.state = state;
  }

  /*
   * From the list in which they came; request.headers would be made for us alone. Returns whether
   * there is a body.
   */
  function readHeaders(span, raw) {
    let hasBody = false, remote, state;
    for (let i = 0; i + 1 < raw.length; i += 2) {
      const first = raw[i].charCodeAt(0) | 32;
      if (first === 104 /* h */ && span.host === undefined && isName(raw[i], "host")) {
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
      }
    }
    if (remote !== undefined)
      setRemote(span, remote, state);
    return hasBody;
  }

  /* What is known of a socket, and the requests on it that are not answered yet, last one first. */
  function addConnection(socket) {
    const connection = {
      socket,
      spans: undefined,
      peer: socket.remoteAddress,
      flags: socket.encrypted ? TLS : 0,
      onClose() {
        try {
          connections.delete(connection);
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
    return connection;
  }

  function removeConnection(connection) {
    connection.socket.removeListener("close", connection.onClose);
    connectionOf.delete(connection.socket);
    connections.delete(connection);
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

  /* As express, restify and what is built on them say it; others are handled by their channels. */
  function findRoute(request) {
    const path = request.route?.path;
    if (typeof path !== "string")
      return undefined;
    const base = request.baseUrl;
    return typeof base === "string" ? base + path : path;
  }

  /*
   * With AsyncContextFrame (24 and later): it costs nothing, but a connection has the frame that it
   * was made in, so what arrives of a body later is handed on in the request's own.
   */
  function makeFrames(storage) {
    return {
      enter: (span) => storage.enterWith(span),
      get: () => storage.getStore(),
      leave() {},
      followBody(readable, span) {
        const { push } = readable;
        Object.defineProperty(readable, "push", {
          value: (chunk, encoding) => storage.run(span, () => push.call(readable, chunk, encoding)),
          writable: true, configurable: true,
        });
      },
      end: () => storage.disable(),
    };
  }

  /*
   * Before: as AsyncLocalStorage does it, each asynchronous resource gets the span of what makes
   * it. Most of that is to ask what is being executed, so the last answer is kept; a request is
   * read, and mostly answered, in one execution.
   */
  function makeInheritance({ createHook, executionAsyncId, executionAsyncResource }) {
    let lastId = -1, lastSpan;

    function get() {
      const id = executionAsyncId();
      if (id !== lastId) {
        lastSpan = executionAsyncResource()[contextOf];
        lastId = id;
      }
      return lastSpan;
    }

    function init(id, type, trigger, resource) {
      const span = get();
      if (span !== undefined)
        resource[contextOf] = span;
    }

    const hook = createHook({ init }).enable();
    return {
      get,
      enter(span) {
        span.resource = executionAsyncResource();
        span.resource[contextOf] = span;
        lastId = executionAsyncId();
        lastSpan = span;
      },
      /* A connection that is used again, or upgraded, is no longer about the span. */
      leave(span) {
        if (span.resource !== undefined && span.resource[contextOf] === span)
          span.resource[contextOf] = undefined;
        lastId = -1;
      },
      followBody() {},
      end: () => hook.disable(),
    };
  }

  function endServer(span, flags) {
    const { request, response } = span;
    unlink(span);
    context.leave(span);
    span.flags |= flags;
    span.route ??= findRoute(request);
    span.end(flags !== 0 && !response.headersSent ? 0 : response.statusCode,
      request.httpVersionMajor * 10 + request.httpVersionMinor);
  }

  function onRequest({ request, response, socket }) {
    try {
      if (number < LOOKS && hasOtherTracer()) {
        stop();
        tell(OTHER_TRACER);
        return;
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
      span.begin();
      context.enter(span);
    } catch {
      tell();
    }
  }

  function findServerSpan(request) {
    let span = spanOf.get(request.stream);
    if (span !== undefined)
      return span;
    span = connectionOf.get(request.socket)?.spans;
    while (span !== undefined && span.request !== request)
      span = span.next;
    return span;
  }

  function onResponse({ request }) {
    try {
      const span = findServerSpan(request);
      if (span !== undefined)
        endServer(span, 0);
    } catch {
      tell();
    }
  }

  function onFastify({ request, route }) {
    const span = findServerSpan(request.raw);
    if (span !== undefined && typeof route?.url === "string")
      span.route = route.url;
  }

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
    span.end(stream.sentHeaders?.[":status"] ?? 0, 20);
  }

  function nameError(error) {
    const text = error?.code ?? error?.name;
    return typeof text === "string" ? text : "Error";
  }

  function endClient(span) {
    const { request } = span;
    const response = request.res;
    const { remoteAddress, remotePort } = request.socket ?? {};
    span.peer = remoteAddress;
    /* Where the head was given as a list, the header "Host" is not known. */
    if (remotePort !== undefined && !request.hasHeader("host") && span.host === request.host)
      span.host = `${span.host}:${remotePort}`;
    if (span.error === undefined && !response?.complete && !request.upgradeOrConnect)
      span.flags |= ABORTED;
    span.end(response?.statusCode ?? 0,
      response ? response.httpVersionMajor * 10 + response.httpVersionMinor : 0);
  }

  function beginClient(request) {
    const span = new Span(CLIENT, context.get());
    span.request = request;
    span.flags = request.protocol === "https:" ? TLS : 0;
    span.method = request.method;
    span.target = request.path;
    span.host = request.getHeader("host") ?? request.host;
    span.begin();
    request.on(errorMonitor, guard((error) => {
      span.error = nameError(error);
    }));
    request.once("close", guard(() => endClient(span)));
    return span;
  }

  /*
   * A head that was given as a list is made already, and not sent yet. One with "Expect" is even
   * written, to what waits for the socket.
   */
  function addToHead(request, headers) {
    const head = request._header;
    const waiting = request._headerSent ? request.outputData[0] : undefined;
    if (!head?.endsWith("\r\n\r\n") || (request._headerSent && waiting?.data !== head))
      return;
    if (/^traceparent:/mi.test(head))
      return;
    const lines = headers.map(([key, value]) => `${key}: ${value}\r\n`).join("");
    request._header = `${head.slice(0, -2)}${lines}\r\n`;
    if (waiting !== undefined) {
      waiting.data = request._header;
      request.outputSize += lines.length;
    }
  }

  function onClientCreated({ request }) {
    const span = beginClient(request);
    if (request.headersSent)
      addToHead(request, span.headers());
    else if (!request.hasHeader("traceparent"))
      for (const [key, value] of span.headers())
        request.setHeader(key, value);
  }

  function isTraceparent(key) {
    return typeof key === "string" && key.toLowerCase() === "traceparent";
  }

  /* What _storeHeader() is to be called with: its `headers` may be of four kinds. */
  function addToHeaders(request, given, added) {
    if (!Array.isArray(given)) {
      if (request.hasHeader("traceparent"))
        return given;
      if (!given)
        return Object.fromEntries(added);
      for (const [key, value] of added)
        request.setHeader(key, value);
      return given;
    }
    if (Array.isArray(given[0]))
      return given.some(([key]) => isTraceparent(key)) ? given : [...given, ...added];
    return given.some(isTraceparent) ? given : [...given, ...added.flat()];
  }

  /* Where no channel tells of a request in time, its head is the first that all have in common. */
  function wrapClient(http) {
    const prototype = http.ClientRequest.prototype;
    const original = prototype._storeHeader;
    function _storeHeader(firstLine, headers) {
      try {
        if (isOn)
          headers = addToHeaders(this, headers, beginClient(this).headers());
      } catch {
        tell();
      }
      return original.call(this, firstLine, headers);
    }
    Object.defineProperty(prototype, "_storeHeader",
      { value: _storeHeader, writable: true, configurable: true });
    cleanups.push(() => {
      if (Object.getOwnPropertyDescriptor(prototype, "_storeHeader")?.value === _storeHeader)
        delete prototype._storeHeader;
    });
  }

  function hasTraceparent(headers) {
    if (typeof headers === "string")
      return /^traceparent:/mi.test(headers);
    return Array.isArray(headers) && headers.some(isTraceparent);
  }

  function onUndiciCreate({ request }) {
    const span = new Span(CLIENT, context.get());
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

  function hasOtherTracer() {
    return globalThis[openTracer]?.trace !== undefined || globalThis._ddtrace !== undefined ||
      globalThis[datadog] !== undefined;
  }

  function listen(diagnostics, channelName, listener) {
    const channel = diagnostics.channel(channelName);
    channel.subscribe(listener);
    cleanups.push(() => channel.unsubscribe(listener));
  }

  function tellsOfClients() {
    const [major, minor] = process.versions.node.split(".").map(Number);
    return major > 23 || CREATED.some(([line, from]) => major === line && minor >= from);
  }

  function makeContext(hooks) {
    const storage = new hooks.AsyncLocalStorage();
    /* What it is made of where there are no frames. */
    return storage.kResourceStore === undefined ? makeFrames(storage) : makeInheritance(hooks);
  }

  function start(load) {
    const diagnostics = load("diagnostics_channel");
    context = makeContext(load("async_hooks"));
    cleanups.push(() => context.end());
    ({ errorMonitor } = load("events"));
    if (tellsOfClients())
      listen(diagnostics, "http.client.request.created", guard(onClientCreated));
    else
      wrapClient(load("http"));
    listen(diagnostics, "http.server.request.start", onRequest);
    listen(diagnostics, "http.server.response.finish", onResponse);
    listen(diagnostics, "http2.server.stream.created", guard(onStream));
    listen(diagnostics, "http2.server.stream.close", guard(onStreamClose));
    listen(diagnostics, "tracing:fastify.request.handler:start", guard(onFastify));
    listen(diagnostics, "undici:request:create", guard(onUndiciCreate));
    listen(diagnostics, "undici:client:sendHeaders", guard(onUndiciSend));
    listen(diagnostics, "undici:request:headers", guard(onUndiciHeaders));
    listen(diagnostics, "undici:request:trailers", guard(({ request }) => endUndici(request)));
    listen(diagnostics, "undici:request:error",
      guard(({ request, error }) => endUndici(request, error)));
    isOn = true;
  }

  function stop() {
    isOn = false;
    for (const cleanup of cleanups.splice(0))
      cleanup();
    for (const connection of connections)
      removeConnection(connection);
  }

  /* Since Node 20.16 and 22.3; before, a module that was require()d has a way. */
  function findLoader() {
    if (process.getBuiltinModule)
      return (module) => process.getBuiltinModule(module);
    const main = process.mainModule;
    return main?.require ? (module) => main.require(module) : undefined;
  }

  share(numbers);
  return function toggle(on) {
    const load = findLoader();
    if (on && !isOn) {
      if (!load)
        return NO_MODULES;
      if (hasOtherTracer())
        return OTHER_TRACER;
      start(load);
    } else if (!on && isOn) {
      stop();
    }
    return on ? ON : OFF;
  };
})
//# sourceURL=nodiag:trace.js
