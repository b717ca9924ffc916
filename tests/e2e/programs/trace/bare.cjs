// SPDX-License-Identifier: Apache-2.0

// For node -r: what the agent's own scripts are made of is not there.

'use strict';

delete globalThis.WeakMap;
