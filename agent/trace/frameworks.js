/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Routes, as the frameworks know them. express says it of Node's own request (express.js), fastify
 * by a channel. Where nothing leads from Node's request to the framework's, a method is watched
 * that gets the one and has the other; it is found among the modules that the program has loaded.
 */

const WATCHED = [
  /* A fastify that has no channel, or whose hook answers before there is a handler. */
  {
    file: "/find-my-way/index.js", name: "callHandler", owner: (Router) => Router.prototype,
    note([handle, request]) {
      const url = handle?.store?.config?.url;
      const span = typeof url === "string" ? findServerSpan(request) : undefined;
      if (span !== undefined)
        span.route = url;
    },
  },
  {
    file: "/koa/lib/application.js", name: "createContext", owner: (Koa) => Koa.prototype,
    note([request], ctx) {
      noteHandled(request, ctx);
    },
  },
  {
    file: "/@hapi/hapi/lib/request.js", name: "generate", owner: (Request) => Request,
    note([, request], handled) {
      noteHandled(request, handled);
    },
  },
];

let modules; /* Node's cache of what was require()d */
let modulesSeen = 0;
let watched = new Set();

function noteHandled(request, handled) {
  const span = findServerSpan(request);
  if (span !== undefined)
    span.handled = handled;
}

function attempt(work) {
  try {
    return work();
  } catch {
    tell();
    return undefined;
  }
}

/* Have `before(arguments)` called before a method, and `note(arguments, its result, this, what
 * before() gave)` after it. */
function watchMethod(owner, { name, before, note }) {
  const was = Object.getOwnPropertyDescriptor(owner, name);
  const original = was?.value;
  if (typeof original !== "function" || !was.configurable)
    return;
  function method(...given) {
    const prepared = isOn && before !== undefined ? attempt(() => before(given)) : undefined;
    const result = Reflect.apply(original, this, given);
    if (isOn)
      attempt(() => note(given, result, this, prepared));
    return result;
  }
  for (const key of ["name", "length"])
    Object.defineProperty(method, key, { value: original[key], configurable: true });
  Object.defineProperty(owner, name, { ...was, value: method });
  cleanups.push(() => {
    if (Object.getOwnPropertyDescriptor(owner, name)?.value === method)
      Object.defineProperty(owner, name, was);
  });
}

function findWatched(file) {
  return file.endsWith(".js") ? WATCHED.find((entry) => file.endsWith(entry.file)) : undefined;
}

/* A program may load its framework after its first request was followed; mostly it has by then. */
function findFrameworks() {
  const files = modules ? Object.keys(modules) : [];
  if (files.length === modulesSeen)
    return;
  modulesSeen = files.length;
  for (const file of files) {
    const entry = watched.has(file) ? undefined : findWatched(file);
    /* One that is still being loaded is looked at again. */
    if (entry === undefined || modules[file]?.loaded !== true)
      continue;
    watched.add(file);
    watchMethod(entry.owner(modules[file].exports), entry);
  }
}

/* As koa's and hapi's own requests say it, when they are over. */
function findHandledRoute({ handled }) {
  const matched = handled._matchedRoute ?? handled.routePath;
  if (matched !== undefined)
    return nameRoute(matched);
  const { path, method } = handled.route ?? {};
  /* Its own answers, to what it has no route for, are routes with methods that HTTP has not. */
  return typeof method === "string" && !method.startsWith("_") ? nameRoute(path) : undefined;
}

/* What a framework says may be anything; without, the span is right all the same. */
function findRoute(span, request) {
  try {
    return span.handled === undefined ? findExpressRoute(request) : findHandledRoute(span);
  } catch {
    return undefined;
  }
}

function onFastify({ request, route }) {
  const span = findServerSpan(request.raw);
  if (span !== undefined && typeof route?.url === "string")
    span.route = route.url;
}

function followFrameworks(diagnostics) {
  listen(diagnostics, "tracing:fastify.request.handler:start", guard(onFastify));
  modules = load("module")._cache;
  findFrameworks();
  cleanups.push(() => {
    modules = undefined;
    modulesSeen = 0;
    watched = new Set();
  });
}
