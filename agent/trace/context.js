/* SPDX-License-Identifier: Apache-2.0 */

/* Which request is being handled, through all that is asynchronous. */

const contextOf = Symbol("nodiag"); /* of an asynchronous resource, as AsyncLocalStorage has */

/* Resources whose spans can be told from their ids alone: of those that are made in a second. */
const PAIRS = 2 ** 16;

/*
 * With AsyncContextFrame (24 and later): it costs nothing, but a connection has the frame that it
 * was made in, so what arrives of a body later is handed on in the request's own.
 */
function makeFrames(storage) {
  /* Where agent/context.c finds it, it finds all. */
  for (const short of [0x2a5a5a5a, 0x15a5a5a5]) {
    const span = new Span(SERVER, undefined);
    span.short = short;
    storage.run(span, () => frame(storage, span, short));
  }
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
function makeInheritance({ createHook, executionAsyncId, executionAsyncResource, AsyncResource }) {
  let lastId = -1, lastSpan;

  /* For agent/context.c, which knows the id of what is executed, and no more. */
  const pairs = new Float64Array(2 * PAIRS);
  const mask = PAIRS - 1;

  function remember(id, span) {
    const at = 2 * (id & mask);
    pairs[at + 1] = span.number;
    pairs[at] = id;
  }

  function forget(id) {
    const at = 2 * (id & mask);
    if (pairs[at] === id)
      pairs[at] = 0;
  }

  /* A tick runs right after what made it: to ask Node for its resource costs more than all else. */
  function isLast(id) {
    const at = 2 * (id & mask);
    return lastSpan !== undefined && pairs[at] === id && pairs[at + 1] === lastSpan.number;
  }

  function find(id) {
    lastSpan = executionAsyncResource()[contextOf];
    /* Where that was long ago, others have taken its place. */
    if (lastSpan !== undefined)
      remember(id, lastSpan);
  }

  function get() {
    const id = executionAsyncId();
    if (id !== lastId) {
      if (!isLast(id))
        find(id);
      lastId = id;
    }
    if (lastSpan !== undefined && lastSpan.resourceId === id && isHandedOn(lastSpan)) {
      leave(lastSpan);
      return undefined;
    }
    return lastSpan;
  }

  /* Node tells of an upgrade where it reads, whether the requests before were answered or not. */
  function isHandedOn(span) {
    return span.connection?.socket.parser === null;
  }

  /* A connection that is used again, or upgraded, is no longer about the span. */
  function leave(span) {
    if (span.resource !== undefined && span.resource[contextOf] === span) {
      span.resource[contextOf] = undefined;
      forget(span.resourceId);
    }
    lastId = -1;
  }

  function init(id, type, trigger, resource) {
    const span = get();
    if (span !== undefined) {
      resource[contextOf] = span;
      remember(id, span);
    }
  }

  new AsyncResource("nodiag").runInAsyncScope(() => {
    remember(executionAsyncId(), new Span(SERVER, undefined));
    ids(pairs);
    forget(executionAsyncId());
  });
  const hook = createHook({ init }).enable();
  return {
    get,
    enter(span) {
      span.resource = executionAsyncResource();
      span.resource[contextOf] = span;
      span.resourceId = lastId = executionAsyncId();
      lastSpan = span;
      remember(lastId, span);
    },
    leave,
    /* A resource of its own that the body arrives by was made in the name of another. */
    followBody(readable, span, resource) {
      if (resource !== undefined) {
        resource[contextOf] = span;
        remember(resource.getAsyncId(), span);
      }
      lastId = -1;
    },
    end: () => hook.disable(),
  };
}

function makeContext(hooks) {
  const storage = new hooks.AsyncLocalStorage();
  /* What it is made of where there are no frames. */
  return storage.kResourceStore === undefined ? makeFrames(storage) : makeInheritance(hooks);
}
