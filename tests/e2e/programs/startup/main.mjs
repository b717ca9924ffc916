// SPDX-License-Identifier: Apache-2.0

// The same as main.cjs, in ES modules.
import './first.cjs';

import spin from './spin.cjs';

await import('./second.mjs');
spin(60);

process.stdin.resume().on('end', () => process.exit(3));
