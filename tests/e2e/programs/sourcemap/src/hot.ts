// SPDX-License-Identifier: Apache-2.0

// The compiled files in ../dist are part of the test: hotInTypeScript() has another line there
// than here. After a change, compile again with ../compile.sh.

declare function require(path: string): any;
const { forever, serve } = require('../../lib/control.cjs');

interface Row {
  readonly id: number;
  readonly weight: number;
}

interface Totals {
  sum: number;
  count: number;
}

type Weigh = (row: Row) => number;

const enum Factor { Light = 3, Heavy = 31 }

function hotInTypeScript(rows: readonly Row[], weigh: Weigh): Totals {
  const totals: Totals = { sum: 0, count: 0 };
  for (const row of rows) {
    totals.sum = (totals.sum * Factor.Heavy + weigh(row)) | 0;
    totals.count++;
  }
  return totals;
}

const rows: Row[] = Array.from({ length: 100000 }, (_, id): Row => ({ id, weight: id % 13 }));

forever((): void => {
  hotInTypeScript(rows, (row: Row): number => row.weight * Factor.Light);
});
serve();
