/* SPDX-License-Identifier: Apache-2.0 */

/* What Node's own JavaScript has of async_hooks; undefined where it is not given out. */
function loadBinding() {
  const { noDeprecation } = process;
  /* Node deprecates this, which is nothing to tell the program's users. */
  process.noDeprecation = true;
  try {
    return process.binding("async_wrap");
  } catch {
    return undefined;
  } finally {
    if (noDeprecation === undefined)
      delete process.noDeprecation;
    else
      process.noDeprecation = noDeprecation;
  }
}
