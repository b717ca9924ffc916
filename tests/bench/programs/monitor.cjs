// SPDX-License-Identifier: Apache-2.0
'use strict';

// Node's own measure of the delay of its loop, to be preloaded.

require('node:perf_hooks').monitorEventLoopDelay({ resolution: 10 }).enable();
