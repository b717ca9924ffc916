// SPDX-License-Identifier: Apache-2.0
import { StreamableFile } from '@nestjs/common';
import { gzipSync } from 'node:zlib';

const catalogue = JSON.stringify(
  Array.from({ length: 100_000 }, (_, id) => ({
    id,
    name: `product ${id}`,
    description: `number ${(id * 7919) % 10_007} of the ${id % 97} that go with ${id % 1009}`,
  })),
);

/** All there is, packed as small as can be, for everyone anew. */
export function packCatalogue() {
  return new StreamableFile(gzipSync(catalogue, { level: 9 }));
}
