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
const KIND = 0, FLAGS = 1, SPAN = 2, PARENT = 3, ROOT = 4, START = 5, STATUS = 6, VERSION = 7;
const numbers = new Float64Array(8);

/* Bits of a span's number that any build of V8 keeps in the object itself. */
const SHORT = 2 ** 30 - 1;

let propagators; /* what of a trace is taken from requests, and put on them */

const cleanups = [];
let context, load, errorMonitor;
let number = 0;
let isOn = false;

class Span {
  constructor(kind, parent) {
    this.kind = kind;
    this.flags = 0;
    this.number = ++number;
    this.short = number & SHORT; /* what agent/context.c looks for */
    this.parent = parent === undefined ? 0 : parent.number;
    this.root = parent === undefined ? this.number : parent.root;
    this.remote = parent === undefined ? undefined : parent.remote;
    this.state = parent === undefined ? undefined : parent.state;
    this.baggage = parent === undefined ? undefined : parent.baggage;
    this.seen = parent === undefined ? undefined : parent.seen; /* as `remote` is, by observe() */
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

  /* Ids that somebody else has made: of the parent, or of the span itself. */
  given() {
    return observes ? this.seen : this.remote;
  }

  share() {
    numbers[KIND] = this.kind;
    numbers[FLAGS] = observes ? this.flags | OF_OTHERS : this.flags;
    numbers[SPAN] = this.number;
    numbers[PARENT] = this.parent;
    numbers[ROOT] = this.root;
  }

  begin() {
    this.share();
    numbers[STATUS] = numbers[VERSION] = 0;
    begin(this.given(), this.method, undefined, this.target, this.host, this.peer);
    this.start = numbers[START];
  }

  end(status, version) {
    if (isOn) {
      this.share();
      numbers[START] = this.start;
      numbers[STATUS] = status;
      numbers[VERSION] = version;
      if (this.kind === SERVER)
        finish(this.route, this.error);
      if (numbers[KIND] !== 0)
        end(this.given(), this.method, this.route, this.target, this.host, this.peer, this.error);
    }
    this.request = this.response = this.connection = this.handled = undefined;
    this.resource = this.next = undefined;
  }

  traceparent() {
    this.share();
    return name(this.remote);
  }

  /* What its request is to say besides what it `has`, which is the program's to decide. */
  headers(has) {
    const headers = [];
    if (observes)
      return headers;
    if (propagators & TRACE_CONTEXT && !has("traceparent")) {
      const traceparent = this.traceparent();
      /* The agent goes in the middle of a turn, and only afterwards ends what is here. */
      if (traceparent !== undefined)
        headers.push(["traceparent", traceparent]);
      if (traceparent !== undefined && this.state !== undefined)
        headers.push(["tracestate", this.state]);
    }
    if (this.baggage !== undefined && !has("baggage"))
      headers.push(["baggage", this.baggage]);
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

/* The span goes on with the trace that its request came with. */
function setRemote(span, remote, state) {
  if (observes || !(propagators & TRACE_CONTEXT) || !TRACEPARENT.test(remote) ||
      (remote.startsWith("00") && remote.length !== TRACEPARENT_LENGTH))
    return;
  span.remote = remote.slice(0, TRACEPARENT_LENGTH);
  if (state !== undefined && state.length <= TRACESTATE_MAX)
    span.state = state;
}

function setBaggage(span, baggage) {
  if (propagators & BAGGAGE && baggage.length <= BAGGAGE_MAX)
    span.baggage = baggage;
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
