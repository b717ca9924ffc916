// SPDX-License-Identifier: Apache-2.0

// Copies of node that differ from the real one in a number that V8 exports.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';

/** Where in the file an exported symbol's value is. */
function offsetOf(binary, data, symbol) {
  const nm = execFileSync('nm', ['-D', binary], { encoding: 'latin1', maxBuffer: 1 << 28 });
  const found = nm.split('\n').find((entry) => entry.split(' ')[2]?.startsWith(symbol));
  assert.ok(found, `${symbol} is not in ${binary}`);
  const address = BigInt(`0x${found.split(' ')[0]}`);
  const headers = Number(data.readBigUInt64LE(32)); // e_phoff
  for (let i = 0; i < data.readUInt16LE(56); i++) {
    const header = data.subarray(headers + i * 56);
    const [offset, start, size] = [8, 16, 32].map((at) => header.readBigUInt64LE(at));
    if (header.readUInt32LE(0) === 1 && address >= start && address < start + size) {
      return Number(address - start + offset);
    }
  }
  assert.fail(`${symbol} is not in the file`);
}

/**
 * Make a copy of `node` at `path` in which an exported int is what `change` makes of it.
 * @param {(value: number, data: Buffer) => number} change may change more of `data`, the file
 */
export function patchNode(node, path, symbol, change) {
  const data = readFileSync(node);
  const offset = offsetOf(node, data, symbol);
  data.writeInt32LE(change(data.readInt32LE(offset), data), offset);
  writeFileSync(path, data);
  chmodSync(path, 0o755);
  return path;
}

/** The symbol and the change for a V8 that nobody has seen yet. */
export const futureV8 = (node) => [
  '_ZN2v88internal7Version6major_E',
  (major, data) => {
    // V8 refuses a snapshot of another version than its own, so that one must be of the future too.
    const version = execFileSync(node, ['-p', 'process.versions.v8'], { encoding: 'latin1' });
    assert.ok(version.startsWith(`${major}.`) && major > 9 && major < 99);
    const text = version.trim();
    for (let at = data.indexOf(text); at >= 0; at = data.indexOf(text, at + 1)) {
      data.write('99', at, 'latin1');
    }
    return 99;
  },
];
