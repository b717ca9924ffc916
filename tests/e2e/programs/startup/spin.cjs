// SPDX-License-Identifier: Apache-2.0
'use strict';

/** Use up so many milliseconds of CPU time. */
module.exports = function spin(ms) {
  const start = process.cpuUsage();
  for (;;) {
    const { user, system } = process.cpuUsage(start);
    if (user + system > ms * 1000) return;
  }
};
