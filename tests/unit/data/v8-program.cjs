// SPDX-License-Identifier: Apache-2.0
'use strict';

// Runs a bit of everything, for tests/tools/capture_v8. The text is two bytes a character: 漢字.

function spin(x) {
  let sum = x;
  for (let i = 0; i < 3000; i++)
    sum = (sum * 31 + i) | 0;
  return sum;
}

// Calls whose results nobody wants: between them there is nothing but their own lines.
function callsInARow() {
  first(1);
  second(2);
  third(3);
}

function first(x) { spin(x); }
function second(x) {
  spin(x);
  spin(x + 1);
}
const third = (x) => {

  spin(x);
};

function add(a, b) {
  return a + b;
}
function addTwice(a, b) {
  return add(a, b) + add(b, a);
}
function inlined() {
  let sum = 0;
  for (let i = 0; i < 60000; i++) {
    sum = addTwice(sum, i) & 0xffff;
    sum ^=
      add(sum, 3);
  }
  return sum;
}

class Shape {
  #side = 3;
  static make() { return new Shape(); }
  get area() { return spin(this.#side); }
  ['comp' + 'uted']() { return spin(4); }
  constructor() { spin(5); }
}
function classes() {
  const shape = Shape.make();
  return shape.area + shape.computed();
}

const numbers = Array.from({ length: 2000 }, (_, i) => (i * 7919) % 2003);
function builtins() {
  numbers.slice().sort((a, b) => a - b);
  numbers.map((x) => spin(x & 1)).filter(function (x) { return x & 1; });
  JSON.parse(JSON.stringify(numbers));
  return new Map(numbers.map((x) => [x, x])).size;
}

const text = 'lorem ipsum dolor sit amet '.repeat(200) + '!';
function regexps() {
  return text.replace(/([a-z]+) ([a-z]+)/g, '$2 $1').search(/(x+x+)+y|[^\s]*\?/);
}

const fromEval = eval('(function fromEval() {\n  return spin(6);\n})');
const fromText = new Function('spin', 'return spin(7);');
function evals(turn) {
  fromEval();
  fromText(spin);
  eval(`(() => { spin(${turn}); })()`);
}

function* generate() {
  for (let i = 0; i < 20; i++)
    yield spin(i);
}
async function asynchronous() {
  for (const x of generate())
    await x;
  spin(8);
  await Promise.all([later(), later()]);
}
async function later() {
  await null;
  return spin(9);
}

function deep(n) {
  return n ? deep(n - 1) + 1 : spin(10);
}

let turns = 0;
setImmediate(async function turn() {
  callsInARow();
  inlined();
  classes();
  builtins();
  regexps();
  evals(turns++);
  await asynchronous();
  deep(30);
  setImmediate(turn);
});
