// SPDX-License-Identifier: Apache-2.0

// node devtools.mjs FILE [FILE]: open heap snapshots as Chrome DevTools does, and compare two.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { bundleDevTools, loadSnapshot } from '../../format/devtools_heap.mjs';

const folder = mkdtempSync(join(tmpdir(), 'nodiag-bench-'));
const devtools = await bundleDevTools(join(folder, 'devtools.mjs'));
rmSync(folder, { recursive: true });

const snapshots = [];
for (const file of process.argv.slice(2)) snapshots.push(await loadSnapshot(devtools, file));
const [first, last] = snapshots;
if (last) {
  const classes = first.aggregatesForDiff(last.interfaceDefinitions());
  console.log(Object.keys(last.calculateSnapshotDiff('first', classes)).length);
} else {
  console.log(Object.keys(first.aggregatesWithFilter({})).length);
}
process.exit(0);
