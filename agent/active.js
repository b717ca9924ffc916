// SPDX-License-Identifier: Apache-2.0

// Counts what keeps the loop alive, for agent/active.c.
//
// One expression: a function that gets what tells of a type and of how many there are, and returns
// the one that counts. First it tells of all of them together, with no type. What sorts and finds is
// V8's own code: this is called too seldom for JavaScript's to be compiled.

(function (tell) {
  "use strict";

  return () => {
    const types = process.getActiveResourcesInfo().sort();
    tell("", types.length);
    for (let at = 0, end; at < types.length; at = end) {
      end = types.lastIndexOf(types[at]) + 1;
      tell(types[at], end - at);
    }
    return 0;
  };
})
