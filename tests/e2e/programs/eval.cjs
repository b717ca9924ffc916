// SPDX-License-Identifier: Apache-2.0
'use strict';

// Functions that come from no file.

const { forever, serve } = require('./lib/control.cjs');
const { Truth } = require('./lib/truth.cjs');

const evaluated = eval(`(function hotFromEval(count) {
  let sum = 0;
  for (let i = 0; i < count; i++) sum = (sum + i * 3) | 0;
  return sum;
})`);

// V8 has no name for functions of this kind.
const constructed = new Function(
  'count',
  `let sum = 0;
  for (let i = 0; i < count; i++) sum = (sum ^ (i * 5)) | 0;
  return sum;`,
);

const named = (0, eval)(`(function hotWithSourceUrl(count) {
  let sum = 0;
  for (let i = 0; i < count; i++) sum = (sum - i * 7) | 0;
  return sum;
})
//# sourceURL=generated-by-a-template.js`);

const truth = new Truth();

forever(() => {
  truth.time('evaluated', () => evaluated(1e6));
  truth.time('constructed', () => constructed(1e6));
  truth.time('named', () => named(1e6));
  truth.endRound();
});
serve({ report: (from, to) => truth.report(Number(from), Number(to)) });
