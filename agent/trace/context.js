/* SPDX-License-Identifier: Apache-2.0 */

/* Which request is being handled, through all that is asynchronous. */

const contextOf = Symbol("nodiag"); /* of an asynchronous resource, as AsyncLocalStorage has */

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
    /* A resource of its own that the body arrives by was made in the name of another. */
    followBody(readable, span, resource) {
      if (resource !== undefined)
        resource[contextOf] = span;
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
