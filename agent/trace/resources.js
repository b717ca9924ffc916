/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a request waits for besides other services: names, connections, files, processes, workers.
 * Only on demand, since Node tells of each asynchronous resource that is made, and there are many
 * others. Its object is Node's own and no program sees it, so its callback is watched there.
 */

const INTERNAL = 3; /* enum nd_span_kind */

/* ND_FEATURE_SPANS, from its lowest bit on. */
const DNS = 1, NET = 2, TLS_HANDSHAKE = 4, FS = 8, CHILD = 16, WORKER = 32;

const FS_FILE = /^node:(?:internal\/)?fs(?:\/|$)/;

function describeLookup(span, resource) {
  span.host = resource.hostname;
}

function describeConnect(span, { address, port }) {
  if (port === undefined) {
    span.target = address;
    return;
  }
  span.peer = address;
  span.host = address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

function findOwner(resource) {
  return resource[findSymbol(resource, "owner_symbol")];
}

function describeHandshake(span, resource) {
  const socket = findOwner(resource);
  const name = resource.getServername?.() || socket?.remoteAddress;
  span.peer = socket?.remoteAddress;
  span.host = socket?.remotePort === undefined ? name : `${name}:${socket.remotePort}`;
}

function describeChild(span, resource) {
  span.target = findOwner(resource)?.spawnfile;
}

function describeNothing() {}

/* By Node's type: what is asked for, whose callback ends it, and what is known by then. */
const RESOURCES = new Map([
  ["GETADDRINFOREQWRAP", [DNS, "dns.lookup", "oncomplete", describeLookup]],
  ["GETNAMEINFOREQWRAP", [DNS, "dns.lookupService", "oncomplete", describeLookup]],
  ["QUERYWRAP", [DNS, "dns.resolve", "oncomplete", describeLookup]],
  ["TCPCONNECTWRAP", [NET, "tcp.connect", "oncomplete", describeConnect]],
  ["PIPECONNECTWRAP", [NET, "pipe.connect", "oncomplete", describeConnect]],
  ["TLSWRAP", [TLS_HANDSHAKE, "tls.handshake", "onhandshakedone", describeHandshake]],
  ["FSREQCALLBACK", [FS, undefined, "oncomplete", describeNothing]],
  ["FSREQPROMISE", [FS, undefined, "promise", describeNothing]],
  ["PROCESSWRAP", [CHILD, "child_process.spawn", "onexit", describeChild]],
  ["WORKER", [WORKER, "worker_threads.Worker", "onexit", describeNothing]],
]);

/* What a callback is called with first: nothing, an error, its name, or its number; or a status. */
function nameFailure(what) {
  if (typeof what === "number")
    return what < 0 ? load("util").getSystemErrorName(what) : what === 0 ? undefined : `${what}`;
  return what instanceof Error || typeof what === "string" ? nameError({ code: what.code ?? what })
    : undefined;
}

/* Let a property that Node has set, or sets later, be what `replace(value)` makes of it. */
function replaceValue(resource, key, replace) {
  let value = resource[key];
  if (value !== undefined) {
    resource[key] = attempt(() => replace(value)) ?? value;
    return;
  }
  Object.defineProperty(resource, key, {
    get: () => value,
    set(given) {
      value = attempt(() => replace(given)) ?? given;
    },
    configurable: true, enumerable: true,
  });
}

function watchCallback(resource, key, note) {
  replaceValue(resource, key, (callback) => {
    if (typeof callback !== "function")
      return callback;
    return function watched(...given) {
      attempt(() => note(...given));
      return Reflect.apply(callback, this, given);
    };
  });
}

/* Node's own function that asked for a file: nothing else says for what. */
function nameFileCall() {
  const { stackTraceLimit, prepareStackTrace } = Error;
  try {
    Error.stackTraceLimit = 10;
    Error.prepareStackTrace = (error, frames) => frames;
    const frame = new Error().stack.find((site) => FS_FILE.test(site.getFileName()));
    return `fs.${frame?.getFunctionName()?.split(".").pop() ?? "request"}`;
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    Error.prepareStackTrace = prepareStackTrace;
  }
}

function endResource(span, resource, describe, failure) {
  if (span.start === 0)
    return;
  describe(span, resource);
  span.error = nameFailure(failure);
  span.end(0, 0);
  span.start = 0;
}

function followResource(resource, [, name, key, describe]) {
  const scope = context.get();
  /* Another tracer's spans are its own to have children. */
  if (scope === undefined || observes)
    return;
  const span = new Span(INTERNAL, scope);
  const end = (failure) => endResource(span, resource, describe, failure);
  span.method = name ?? nameFileCall();
  if (key === "promise") {
    /* The caller in Node handles what it is rejected with. */
    replaceValue(resource, key, (promise) => {
      promise.then(() => end(), end);
      return promise;
    });
  } else {
    watchCallback(resource, key, end);
  }
  if (key !== "onhandshakedone") {
    span.begin();
    return;
  }
  watchCallback(resource, "onhandshakestart", () => span.start === 0 && span.begin());
  watchCallback(resource, "onerror", end);
}

let resourceHook;
let wantedResources = 0;

function onResource(id, type, trigger, resource) {
  const entry = RESOURCES.get(type);
  if (entry !== undefined && entry[0] & wantedResources && isOn)
    attempt(() => followResource(resource, entry));
}

function followResources(wanted) {
  wantedResources = wanted;
  if (wanted === 0)
    resourceHook?.disable();
  else
    (resourceHook ??= load("async_hooks").createHook({ init: onResource })).enable();
}
