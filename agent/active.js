// SPDX-License-Identifier: Apache-2.0

// Counts what keeps the loop alive, for agent/active.c.
//
// One expression: a function that gets what tells of a type and of how many there are, and returns
// the one that is called each time. First it tells of all of them together, with no type.

(function (tell) {
  "use strict";

  return () => {
    const types = process.getActiveResourcesInfo();
    const counts = { __proto__: null };
    for (let i = 0; i < types.length; i++)
      counts[types[i]] = (counts[types[i]] ?? 0) + 1;
    tell("", types.length);
    for (const type in counts)
      tell(type, counts[type]);
    return 0;
  };
})
