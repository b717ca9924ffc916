/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The script of a thread that finds its HTTP requests, and keeps which one is being handled, by
 * Node's diagnostics channels and what follows asynchronous calls. What it finds goes to
 * agent/trace_span.c, by functions that take a span as `enum number` and `enum argument` there have
 * it.
 *
 * It runs in the program's own JavaScript, so nothing may be thrown out of it, no listener may
 * change what the program sees, and no request may be kept alive by it.
 *
 * All files of this folder are the body of one function (agent/CMakeLists.txt), so they share what
 * they declare; this one has what all the others use.
 */

const SERVER = 1, CLIENT = 2; /* enum nd_span_kind */
const TLS = 1, ABORTED = 2, OF_OTHERS = 16; /* enum nd_span_flag */

const TRACE_CONTEXT = 1, BAGGAGE = 2; /* enum nd_otel_propagator */

/* The trace must fit into headers that others accept (W3C Trace Context, 3.3.1.5). */
const TRACESTATE_MAX = 512;
const BAGGAGE_MAX = 8192; /* W3C Baggage, 3.3.2: longer ones need not be passed on */

const TRACEPARENT =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-|$)/;
const TRACEPARENT_LENGTH = 55;
const TRACEPARENT_SPAN = 36; /* where the id of the span begins */

/* No property, which a program would see that looks at its objects, or copies them. */
const spanOf = new WeakMap(); /* by undici's request, or an HTTP/2 stream */

/* enum number */
const KIND = 0, FLAGS = 1, SPAN = 2, PARENT = 3, ROOT = 4, START = 5, STATUS = 6, VERSION = 7,
  LIKE = 8;
const numbers = new Float64Array(9);

/* Bits of a span's number that any build of V8 keeps in the object itself. */
const SHORT = 2 ** 30 - 1;

let propagators; /* what of a trace is taken from requests, and put on them */

const cleanups = [];
let context, load, errorMonitor;
let number = 0;
let isOn = false;

/* What a request came with; most came with nothing. */
class Origin {
  constructor() {
    this.remote = undefined; /* a "traceparent" */
    this.state = undefined;
    this.baggage = undefined;
    this.seen = undefined; /* as `remote` is, by observe() */
  }
}

/*
 * What asynchronous resources have of the request that they are for. Many are there long after its
 * end, and the collector copies what they have with them, so it is as little as what is done in
 * their name needs.
 */
class Scope {
  constructor(span) {
    this.number = span.number;
    this.short = span.number & SHORT; /* what agent/context.c looks for */
    this.origin = undefined;
    this.span = span; /* until it ends */
  }

  /* Ids that somebody else has made: of the parent, or of the request itself. */
  given() {
    return observes ? this.origin?.seen : this.origin?.remote;
  }

  takeOrigin() {
    return this.origin ??= new Origin();
  }
}

/* Of a span by its number, in a scope or in none; the scope's own span is its root. */
function shareIds(own, scope) {
  const root = scope === undefined ? own : scope.number;
  numbers[SPAN] = own;
  numbers[PARENT] = root === own ? 0 : root;
  numbers[ROOT] = root;
}

/* Its "traceparent". */
function nameSpan(own, scope) {
  shareIds(own, scope);
  return name(scope?.origin?.remote);
}

class Span {
  /* A server's begins a scope of its own, all others are made in one or in none. */
  constructor(kind, scope) {
    this.kind = kind;
    this.flags = 0;
    this.number = ++number;
    this.scope = kind === SERVER ? new Scope(this) : scope;
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
    this.sent = undefined; /* the "traceparent" that undici sends */
    this.handled = undefined; /* a framework's own request */
    this.resource = undefined;
    this.resourceId = 0;
    this.next = undefined; /* of the same connection */
  }

  given() {
    return this.scope === undefined ? undefined : this.scope.given();
  }

  share() {
    numbers[KIND] = this.kind;
    numbers[FLAGS] = observes ? this.flags | OF_OTHERS : this.flags;
    shareIds(this.number, this.scope);
  }

  /* `like` is the number of a span with the same method, host and peer, or 0. */
  begin(like = 0) {
    this.share();
    numbers[STATUS] = numbers[VERSION] = 0;
    numbers[LIKE] = like;
    begin(this.method, this.target, this.host, this.peer, this.given());
    this.start = numbers[START];
  }

  end(status, version) {
    if (isOn) {
      this.share();
      numbers[START] = this.start;
      numbers[STATUS] = status;
      numbers[VERSION] = version;
      if (this.kind === SERVER)
        this.finish();
      if (numbers[KIND] !== 0)
        end(this.method, this.target, this.host, this.peer, this.given(), this.route, this.error);
    }
    if (this.kind === SERVER)
      this.scope.span = undefined;
    this.request = this.response = this.connection = this.handled = undefined;
    this.resource = this.next = undefined;
  }

  finish() {
    if (this.route === undefined && this.error === undefined)
      finish();
    else
      finish(this.route, this.error);
  }

  /* What its request is to say besides what it `has`, which is the program's to decide. */
  headers(has) {
    const headers = [];
    const origin = this.scope?.origin;
    if (observes)
      return headers;
    if (propagators & TRACE_CONTEXT && !has("traceparent")) {
      const traceparent = nameSpan(this.number, this.scope);
      /* The agent goes in the middle of a turn, and only afterwards ends what is here. */
      if (traceparent !== undefined)
        headers.push(["traceparent", traceparent]);
      if (traceparent !== undefined && origin?.state !== undefined)
        headers.push(["tracestate", origin.state]);
    }
    if (origin?.baggage !== undefined && !has("baggage"))
      headers.push(["baggage", origin.baggage]);
    return headers;
  }
}

/* A listener out of which nothing is thrown. */
function guard(listener) {
  return (...given) => {
    try {
      listener(...given);
    } catch {
      tell();
    }
  };
}

function isName(text, lower) {
  return text.length === lower.length && (text === lower || text.toLowerCase() === lower);
}

/* The request goes on with the trace that it came with. */
function setRemote(scope, remote, state) {
  if (observes || !(propagators & TRACE_CONTEXT) || !TRACEPARENT.test(remote) ||
      (remote.startsWith("00") && remote.length !== TRACEPARENT_LENGTH))
    return;
  const origin = scope.takeOrigin();
  origin.remote = remote.slice(0, TRACEPARENT_LENGTH);
  if (state !== undefined && state.length <= TRACESTATE_MAX)
    origin.state = state;
}

function setBaggage(scope, baggage) {
  if (propagators & BAGGAGE && baggage.length <= BAGGAGE_MAX)
    scope.takeOrigin().baggage = baggage;
}

function nameError(error) {
  const text = error?.code ?? error?.name;
  return typeof text === "string" ? text : "Error";
}

function listen(diagnostics, channelName, listener) {
  const channel = diagnostics.channel(channelName);
  channel.subscribe(listener);
  cleanups.push(() => channel.unsubscribe(listener));
}
