/* SPDX-License-Identifier: Apache-2.0 */

/* What Node's own JavaScript has of async_hooks; undefined where it is not given out. */
function loadBinding() {
  const { noDeprecation } = process;
  try {
    /* Node deprecates this, which is nothing to tell the program's users. */
    process.noDeprecation = true;
    try {
      return process.binding("async_wrap");
    } finally {
      if (noDeprecation === undefined)
        delete process.noDeprecation;
      else
        process.noDeprecation = noDeprecation;
    }
  } catch {
    return undefined;
  }
}
