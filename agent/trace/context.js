/* SPDX-License-Identifier: Apache-2.0 */

/* Which request is being handled, through all that is asynchronous. */

const contextOf = Symbol("nodiag"); /* of an asynchronous resource, as AsyncLocalStorage has */

/*
 * Resources whose scopes can be told from their ids alone: of those that are made in a second. As
 * many as ND_CONTEXT_IDS, by as many bits of an id.
 */
const IDS = 2 ** 16;

/*
 * With AsyncContextFrame (24 and later): it costs nothing, but a connection has the frame that it
 * was made in, so what arrives of a body later is handed on in the request's own.
 */
function makeFrames(storage, { executionAsyncId, AsyncResource }) {
  /* The socket whose keep-alive timer Node is about to make, and what is executed then. */
  let idleSocket, idleId;

  /* Called by Node and the program, so nothing of theirs is asked that might throw. */
  function isKeepAlive(socket) {
    const isNext = idleSocket === socket && idleId === executionAsyncId();
    idleSocket = undefined;
    return isNext;
  }

  /* Where agent/context.c finds it, it finds all. */
  for (const short of [0x2a5a5a5a, 0x15a5a5a5]) {
    const { scope } = new Span(SERVER, undefined);
    scope.short = short;
    storage.run(scope, () => frame(storage, scope, short));
  }
  return {
    enter: ({ scope }) => storage.enterWith(scope),
    get: () => storage.getStore(),
    latest() {},
    leave() {},
    /*
     * A keep-alive timer is for no request, and would keep the frame for as long as it waits. It is
     * made in the connection's own, unless somebody listens to it. Returns what undoes that.
     */
    followTimer(socket) {
      /* A connection may be any stream. */
      if (typeof socket.setTimeout !== "function" || Object.hasOwn(socket, "setTimeout"))
        return undefined;
      /* Hooks of the program's hear of its end, too, when the socket is collected. */
      const outside = new AsyncResource("nodiag");
      const own = (...given) => {
        const { setTimeout } = Object.getPrototypeOf(socket);
        return isKeepAlive(socket)
          ? outside.runInAsyncScope(setTimeout, socket, ...given)
          : setTimeout.apply(socket, given);
      };
      Object.defineProperty(socket, "setTimeout",
        { value: own, writable: true, configurable: true });
      return () => socket.setTimeout === own && delete socket.setTimeout;
    },
    expectTimer(socket, server) {
      const isHeard = socket?.listenerCount("timeout") > 1 /* Node's */ ||
        server?.listenerCount("timeout") > 0;
      idleSocket = isHeard ? undefined : socket;
      idleId = executionAsyncId();
    },
    followBody(readable, { scope }) {
      const { push } = readable;
      Object.defineProperty(readable, "push", {
        value: (chunk, encoding) => storage.run(scope, () => push.call(readable, chunk, encoding)),
        writable: true, configurable: true,
      });
    },
    end: () => storage.disable(),
  };
}

/*
 * Once anybody has asked Node what is executed, it hands each callback through a function that
 * keeps that at hand. For us, who ask seldom, this is dearer than an answer from C++; so what Node
 * knows of who asks stays as it was.
 */
function makeSilent(executionAsyncResource) {
  const { async_hook_fields: fields, constants } = loadBinding() ?? {};
  const asked = constants?.kUsesExecutionAsyncResource;
  if (fields?.[asked] === undefined)
    return executionAsyncResource;
  return () => {
    const before = fields[asked];
    const resource = executionAsyncResource();
    fields[asked] = before;
    return resource;
  };
}

/* For a scope that came by no connection of its own. */
const noSocket = { parser: undefined };

/*
 * Before: as AsyncLocalStorage does it, each asynchronous resource gets the scope of what makes
 * it. Most of that is to ask what is being executed, so the last answer is kept; a request is
 * read, and mostly answered, in one execution.
 *
 * init() and what it mostly calls are short enough for V8 to make them part of Node's nextTick(),
 * which has room for 166 bytes of bytecode; they have 164. What is longer costs a call and all that
 * V8 does not know of a tick then (--trace-turbo-inlining).
 */
function makeInheritance({ createHook, executionAsyncId, executionAsyncResource, AsyncResource }) {
  const findResource = makeSilent(executionAsyncResource);

  /* The scope of the last answer, its number times IDS, and the socket that its request came by. */
  let lastScope, lastKey = NaN, lastSocket = noSocket;
  let lastId = -1; /* of what was executed then */

  /* The socket whose keep-alive timer Node is about to make, and what is executed then. */
  let idleSocket, idleId;

  /*
   * By the lowest bits of a resource's id, the number of its scope, and the bits above. For
   * agent/context.c, which knows the id of what is executed, and no more.
   */
  const numbers = new Float64Array(IDS);
  const mask = IDS - 1;

  /* It has the last scope. */
  function remember(id) {
    numbers[id & mask] = lastKey + (id >>> 16);
  }

  function isRemembered(id) {
    return numbers[id & mask] === lastKey + (id >>> 16);
  }

  function forget(id) {
    numbers[id & mask] = 0;
  }

  function setLast(id, scope) {
    lastId = id;
    lastScope = scope;
    lastKey = scope === undefined ? NaN : scope.number * IDS;
    lastSocket = scope?.span?.connection?.socket ?? noSocket;
  }

  /*
   * A tick runs right after what made it, so mostly all that is executed is about the last scope:
   * to ask Node for its resource costs more than all else. A socket without a parser is closed, or
   * handed on.
   */
  function get() {
    const id = executionAsyncId();
    return isRemembered(id) && lastSocket.parser !== null ? lastScope : find(id);
  }

  function find(id) {
    if (id !== lastId && !isRemembered(id)) {
      setLast(id, findResource()[contextOf]);
      /* Where that was long ago, others have taken its place. */
      if (lastScope !== undefined)
        remember(id);
    }
    const span = lastScope?.span;
    if (span !== undefined && span.resourceId === id && isHandedOn(span)) {
      leave(span);
      return undefined;
    }
    return lastScope;
  }

  /*
   * Node takes long to say what is executed. With a connection that is mostly the same as before,
   * which knows its socket; a tick is not kept, nor what it is about.
   */
  function findExecuted(connection, id) {
    if (connection?.resourceId === id)
      return connection.resource;
    const resource = findResource();
    if (connection !== undefined && resource.socket === connection.socket) {
      connection.resource = resource;
      connection.resourceId = id;
    }
    return resource;
  }

  /* Node tells of an upgrade where it reads, whether the requests before were answered or not. */
  function isHandedOn(span) {
    return span.connection?.socket.parser === null;
  }

  /* A connection that is used again, or upgraded, is no longer about the span. */
  function leave(span) {
    if (span.resource !== undefined && span.resource[contextOf] === span.scope) {
      span.resource[contextOf] = undefined;
      forget(span.resourceId);
    }
    lastId = -1;
    if (lastScope === span.scope)
      lastSocket = noSocket;
  }

  /*
   * After an answer Node makes the socket's keep-alive timer, before any other listener of the
   * response is called. It is for no request, and would keep the scope as long as the connection
   * is idle. A program's own timers hold the loop open when they are made.
   */
  function isKeepAlive(timer) {
    const socket = idleSocket;
    idleSocket = undefined;
    return idleId === executionAsyncId() && timer._idleTimeout === socket.timeout &&
      !timer.hasRef();
  }

  function init(id, type, trigger, resource) {
    const scope = get();
    if (scope === undefined)
      return;
    /* Where nothing else is marked, V8 knows what they look like. */
    if (type === "TickObject")
      resource[contextOf] = scope;
    else if (!mark(resource, type))
      return;
    remember(id);
  }

  /* With the last scope. As above, for promises; a place for all kinds has to look that up. */
  function mark(resource, type) {
    if (type === "PROMISE")
      resource[contextOf] = lastScope;
    else if (idleSocket !== undefined && type === "Timeout" && isKeepAlive(resource))
      return false;
    else
      resource[contextOf] = lastScope;
    return true;
  }

  new AsyncResource("nodiag").runInAsyncScope(() => {
    const id = executionAsyncId();
    setLast(id, new Span(SERVER, undefined).scope);
    remember(id);
    ids(numbers);
    forget(id);
    setLast(-1, undefined);
  });
  /* Before the first request there is nothing to follow, and a program may never get one. */
  const hook = createHook({ init });
  let isFollowing = false;
  return {
    get,
    latest: () => lastScope?.span,
    enter(span) {
      if (!isFollowing) {
        isFollowing = true;
        hook.enable();
      }
      const id = executionAsyncId();
      span.resourceId = id;
      span.resource = findExecuted(span.connection, id);
      span.resource[contextOf] = span.scope;
      setLast(id, span.scope);
      remember(id);
    },
    leave,
    followTimer() {},
    expectTimer(socket) {
      idleSocket = socket;
      idleId = executionAsyncId();
    },
    /* A resource of its own that the body arrives by was made in the name of another. */
    followBody(readable, span, resource) {
      if (resource !== undefined) {
        resource[contextOf] = span.scope;
        setLast(-1, span.scope);
        remember(resource.getAsyncId());
      }
      lastId = -1;
    },
    end: () => hook.disable(),
  };
}

function makeContext(hooks) {
  const storage = new hooks.AsyncLocalStorage();
  /* What it is made of where there are no frames. */
  return storage.kResourceStore === undefined ? makeFrames(storage, hooks) : makeInheritance(hooks);
}
