// SPDX-License-Identifier: Apache-2.0

// plain.cjs in an ES module: its process has no main module to ask for others.

import './plain.cjs';
