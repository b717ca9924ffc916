// SPDX-License-Identifier: Apache-2.0
'use strict';

// blocked-at with the agent's own threshold, to be preloaded.

require('blocked-at')(() => {}, { threshold: 50 });
