/* SPDX-License-Identifier: Apache-2.0 */

/* Begins and ends all of it. */

const PROPAGATORS = 0, WANTED = 1; /* enum nd_trace_shared */

const OFF = 0, ON = 1, NO_MODULES = 2, OBSERVED = 3; /* enum nd_tracing */

function start() {
  ({ errorMonitor } = load("events"));
  const diagnostics = load("diagnostics_channel");
  context = makeContext(load("async_hooks"));
  cleanups.push(() => context.end());
  followServers(diagnostics);
  followFrameworks(diagnostics);
  followHttp2(diagnostics);
  followClients(diagnostics);
  followUndici(diagnostics);
  offerIds();
  observes = hasOtherTracer();
  isOn = true;
}

function stop() {
  isOn = false;
  followResources(0);
  for (const cleanup of cleanups.splice(0))
    cleanup();
}

/* Since Node 20.16 and 22.3; before, a module that was require()d has a way. */
function findLoader() {
  if (process.getBuiltinModule)
    return (module) => process.getBuiltinModule(module);
  const main = process.mainModule;
  return main?.require ? (module) => main.require(module) : undefined;
}

function toggle(on) {
  load ??= findLoader();
  if (on && !isOn) {
    if (!load)
      return NO_MODULES;
    start();
  } else if (!on && isOn) {
    stop();
  }
  if (!on)
    return OFF;
  followResources(numbers[WANTED]);
  return observes ? OBSERVED : ON;
}

share(numbers);
propagators = numbers[PROPAGATORS];
