// SPDX-License-Identifier: Apache-2.0

// node memlab.mjs FILE [FILE]: open a heap snapshot as memlab does, or find leaks between two.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import memlab from '@memlab/api';

const [before, after] = process.argv.slice(2);
memlab.config.muteConsole = true;
if (after) {
  const workDir = mkdtempSync(join(tmpdir(), 'nodiag-bench-'));
  const leaks = await memlab.findLeaksBySnapshotFilePaths(before, after, after, { workDir });
  rmSync(workDir, { recursive: true });
  console.log(leaks.length);
} else {
  const snapshot = await memlab.getFullHeapFromFile(before);
  let largest = 0;
  snapshot.nodes.forEach((node) => {
    largest = Math.max(largest, node.retainedSize);
  });
  console.log(largest);
}
process.exit(0);
