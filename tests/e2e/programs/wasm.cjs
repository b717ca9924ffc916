// SPDX-License-Identifier: Apache-2.0
'use strict';

// A hot loop in WebAssembly, and a JavaScript function that calls it.

const { forever, serve } = require('./lib/control.cjs');

// (module
//   (func $hotInWasm (export "hot") (param $n i32) (result i32) (local $sum i32)
//     (loop $next
//       (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 31)) (local.get $n)))
//       (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
//     (local.get $sum)))
const bytes = Buffer.from(
  '0061736d01000000' + // "\0asm", version 1
    '0106' + '0160017f017f' + // types: (i32) -> i32
    '0302' + '0100' + // functions
    '0707' + '0103686f740000' + // exports: "hot"
    '0a1e' + '011c01017f' + // code: one function, one local
    '0340' + '2001411f6c20006a2101' + '200041016b22000d00' + '0b' + // the loop
    '2001' + '0b' + // the result
    '0013' + '046e616d65' + '010c0100' + '09686f74496e5761736d', // names: "hotInWasm"
  'hex',
);

const { hot } = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;

function callsWasm() {
  return hot(5e6);
}

forever(callsWasm);
serve();
