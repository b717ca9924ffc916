// SPDX-License-Identifier: Apache-2.0

// Counts asynchronous resources into memory that agent/async.c reads.
//
// The body of a function that gets that memory and two functions of async.c (agent/CMakeLists.txt).
// The hooks are the cheapest that each Node.js has:
//
//   22 and later  async_hooks without promises (`trackPromises: false` on 24), and V8's own promise
//                 hooks, of which only some are looked at: no id and no map entry for the others
//   18, 20        async_hooks with promises, whose end is that they are settled
//
// A destroy hook for promises would cost ten times as much as a promise: Node.js installs one
// whenever a hook is enabled while anybody has a destroy hook. So ours is out of sight then.
//
// Nothing here may throw: a hook that does ends the program. Nor may it use what the program can
// have changed since, so what it needs is taken at the beginning.

const { imul, clz32 } = Math;
const { apply } = Reflect;
const weakGet = WeakMap.prototype.get;
const weakSet = WeakMap.prototype.set;

// Where in the memory is what: struct shared of async.c.
const layout = new Uint32Array(memory, 0, 9);
const [TYPES, SITES, SLOTS, BUCKETS] = layout;
const state = new Float64Array(memory, layout[4], 5);
const types = new Float64Array(memory, layout[5], TYPES * 6);
const lifetimes = new Uint32Array(memory, layout[6], TYPES * BUCKETS);
const sites = new Float64Array(memory, layout[7], SITES * 5);
const slots = new Float64Array(memory, layout[8], 2 * SLOTS * 4);

// state[]
const NOW_US = 0;
const WINDOW = 1;
const CROWDED = 2;
const LOST = 3;
const TYPES_LOST = 4;
// types[], six each; those of sites[], five each, have no LOOKS
const CREATED = 0;
const ALIVE = 1;
const ENDED = 2;
const TOTAL_US = 3;
const MAX_US = 4;
const LOOKS = 5;

// Resources that are alive, four numbers each. Ids count up, so their last bits are a place that is
// in the CPU's cache. Who finds that taken, by one that lives long, goes to the second half of the
// slots: a hash table, from where Fibonacci hashing (Knuth, volume 3, 6.4) says on.
const ID = 0;
const BORN_US = 1;
const KIND = 2;
const WEIGHT = 3;
const CROWD = SLOTS * 4;
const CROWDED_MAX = SLOTS * 0.7;
const MASK = SLOTS - 1;
const SHIFT = clz32(MASK);
const home = (id) => imul(id, 0x9e3779b1) >>> SHIFT;
const placeOf = (id) => (id & MASK) * 4;

// Call sites of a type that are looked for: so many in a tenth of a second, and now and then
// more at once; beyond, those of one resource in so many.
const CREDIT = 16;
const CREDIT_MAX = 512;
const GAP_MAX = 1 << 20;
const left = new Int32Array(TYPES);
const gap = new Int32Array(TYPES);
const credit = new Int32Array(TYPES);
const skipped = new Int32Array(TYPES);
const windows = new Float64Array(TYPES);
let random = 1;

let known; // index by type
let promiseType;
let promises; // numbers of those that are followed
let promiseCount;

function typeOf(name) {
  let type = known[name];
  if (type === undefined) {
    type = findType(name);
    // A name that no longer finds room is not remembered either.
    if (type) known[name] = type;
    else state[TYPES_LOST]++;
  }
  return type;
}

// For how many resources of its type the call site of this one stands; 0: it is not looked for.
function weigh(type) {
  skipped[type]++;
  if (--left[type] > 0) return 0;
  const passed = state[WINDOW] - windows[type];
  if (passed !== 0) {
    windows[type] = state[WINDOW];
    const more = credit[type] + passed * CREDIT;
    credit[type] = more < CREDIT_MAX ? more : CREDIT_MAX;
    if (credit[type] > CREDIT_MAX / 2 && gap[type] > 1) gap[type] >>= 1;
  }
  if (--credit[type] < 0 && gap[type] < GAP_MAX) {
    gap[type] <<= 1;
    credit[type] = CREDIT;
  }
  const weight = skipped[type];
  skipped[type] = 0;
  // A fixed distance would meet the same caller again and again where callers take turns.
  random ^= random << 13;
  random ^= random >>> 17;
  random ^= random << 5;
  left[type] = 1 + ((random >>> 0) % (2 * gap[type] - 1));
  types[type * 6 + LOOKS]++;
  return weight;
}

function placeInCrowd(id) {
  if (state[CROWDED] >= CROWDED_MAX) return -1;
  state[CROWDED]++;
  let at = home(id);
  while (slots[CROWD + at * 4] !== 0) at = (at + 1) & MASK;
  return CROWD + at * 4;
}

// `count` is for how many this one stands in the sums of its type, `weight` in those of its site.
function insert(id, type, site, count, weight) {
  let at = placeOf(id);
  if (slots[at] !== 0) at = placeInCrowd(id);
  if (at < 0) {
    state[LOST] += count;
    return;
  }
  slots[at + ID] = id;
  slots[at + BORN_US] = state[NOW_US];
  slots[at + KIND] = type * SITES + site;
  slots[at + WEIGHT] = weight;
  types[type * 6 + ALIVE] += count;
  if (weight === 0) return;
  sites[site * 5 + CREATED] += weight;
  sites[site * 5 + ALIVE] += weight;
}

function findInCrowd(id) {
  for (let at = home(id); ; at = (at + 1) & MASK) {
    const found = slots[CROWD + at * 4];
    if (found === id) return CROWD + at * 4;
    if (found === 0) return -1;
  }
}

// Close the gap that one leaves, so that whoever is behind it is still found.
function leaveCrowd(place) {
  let hole = (place - CROWD) / 4;
  state[CROWDED]--;
  for (let at = (hole + 1) & MASK; ; at = (at + 1) & MASK) {
    const row = CROWD + at * 4;
    const id = slots[row];
    if (id === 0) break;
    if (((at - home(id)) & MASK) < ((at - hole) & MASK)) continue;
    for (let i = 0; i < 4; i++) slots[CROWD + hole * 4 + i] = slots[row + i];
    hole = at;
  }
  slots[CROWD + hole * 4] = 0;
}

function bucket(us) {
  if (us < 2) return us | 0;
  if (us >= 4294967296) return BUCKETS - 1;
  const bits = 31 - clz32(us);
  return 2 * bits + ((us >>> (bits - 1)) & 1);
}

function end(sums, row, count, us) {
  sums[row + ALIVE] -= count;
  sums[row + ENDED] += count;
  sums[row + TOTAL_US] += count * us;
  if (us > sums[row + MAX_US]) sums[row + MAX_US] = us;
}

function remove(id) {
  let at = placeOf(id);
  if (slots[at] !== id) at = findInCrowd(id);
  if (at < 0) return; // it was there before us, or found no room
  const kind = slots[at + KIND];
  const type = (kind / SITES) | 0;
  const weight = slots[at + WEIGHT];
  const count = type === promiseType ? weight : 1;
  const us = state[NOW_US] - slots[at + BORN_US];
  if (at < CROWD) slots[at] = 0;
  else leaveCrowd(at);
  end(types, type * 6, count, us);
  lifetimes[type * BUCKETS + bucket(us)] += count;
  if (weight !== 0) end(sites, (kind % SITES) * 5, weight, us);
}

function onInit(id, name) {
  try {
    const type = typeOf(name);
    if (!type) return;
    types[type * 6 + CREATED]++;
    const weight = weigh(type);
    insert(id, type, weight && findSite(type) | 0, 1, weight);
  } catch {
    state[LOST]++;
  }
}

function onEnd(id) {
  try {
    remove(id);
  } catch {
    // Nothing that is not counted already.
  }
}

function onPromise(promise) {
  types[promiseType * 6 + CREATED]++;
  const weight = weigh(promiseType);
  if (weight === 0) return;
  try {
    apply(weakSet, promises, [promise, --promiseCount]);
    insert(promiseCount, promiseType, findSite(promiseType) | 0, weight, weight);
  } catch {
    state[LOST] += weight;
  }
}

function onSettled(promise) {
  try {
    const id = promises.get(promise);
    if (id !== undefined) remove(id);
  } catch {
    // As above; what get() is may be the program's own, if that changed it before.
  }
}

const load = (name) =>
  process.getBuiltinModule
    ? process.getBuiltinModule(name)
    : process.mainModule && process.mainModule.require(name);

const OK = 0;
const FAILED = 1;
const NO_MODULES = 2;
const HIDDEN = 3;

function reset() {
  known = { __proto__: null };
  promiseType = 0;
  promises = new WeakMap();
  promises.get = weakGet;
  promiseCount = 0;
  left.fill(0);
  gap.fill(1);
  credit.fill(CREDIT_MAX);
  skipped.fill(0);
  windows.fill(0);
}

// What takes back all that was done, last first.
const undo = [];
const willUndo = (step) => (undo[undo.length] = step);

function stop() {
  for (let i = undo.length - 1; i >= 0; i--) undo[i]();
  undo.length = 0;
}

// Let what is run while somebody enables a hook of his own be `without` ours.
function guard(hook, without) {
  const { prototype } = hook.constructor;
  const { enable } = prototype;
  let on = true;
  function guarded() {
    if (!on || this === hook) return apply(enable, this, []);
    return without(() => apply(enable, this, []));
  }
  prototype.enable = guarded;
  willUndo(() => {
    on = false;
    // Somebody else may have put another in the place of ours.
    if (prototype.enable === guarded) prototype.enable = enable;
  });
}

// Node.js 22 and later.
function startWithout(hook, noPromises) {
  const { enable, disable } = hook;
  promiseType = typeOf('PROMISE');
  willUndo(load('v8').promiseHooks.createHook({ init: onPromise, settled: onSettled }));
  hook[noPromises] = true;
  apply(enable, hook, []);
  willUndo(() => apply(disable, hook, []));
  guard(hook, (work) => {
    apply(disable, hook, []);
    try {
      return work();
    } finally {
      apply(enable, hook, []);
    }
  });
}

// Node.js 18 and 20.
function startWith(hook, destroy, binding) {
  const { enable, disable } = hook;
  const fields = binding.async_hook_fields;
  const { kDestroy } = binding.constants;
  apply(enable, hook, []);
  willUndo(() => apply(disable, hook, []));
  hook[destroy] = onEnd;
  fields[kDestroy]++;
  willUndo(() => {
    fields[kDestroy]--;
    hook[destroy] = undefined;
  });
  guard(hook, (work) => {
    // In the middle of a hook Node.js changes a copy, which this makes it take.
    apply(enable, hook, []);
    fields[kDestroy]--;
    try {
      return work();
    } finally {
      fields[kDestroy]++;
    }
  });
}

function start() {
  const hooks = load('async_hooks');
  if (!hooks) return NO_MODULES;
  const symbolOf = (hook, text) =>
    Object.getOwnPropertySymbols(hook).find(({ description }) => description === text);
  const hook = hooks.createHook({ init: onInit, destroy: onEnd });
  const noPromises = symbolOf(hook, 'kNoPromiseHook');
  reset();
  if (noPromises) {
    startWithout(hook, noPromises);
    return OK;
  }
  const binding = loadBinding();
  if (!binding) return HIDDEN;
  const old = hooks.createHook({ init: onInit, promiseResolve: onEnd });
  startWith(old, symbolOf(hook, 'destroy'), binding);
  return OK;
}

function toggle(on) {
  stop();
  if (!on) return OK;
  try {
    return start();
  } catch {
    stop();
    return FAILED;
  }
}
