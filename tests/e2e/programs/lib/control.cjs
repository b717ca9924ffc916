// SPDX-License-Identifier: Apache-2.0
'use strict';

// How a test talks to a program: the program prints "ready", and answers every line of stdin with
// one line of JSON. It ends when stdin does, so that none is left behind.

const readline = require('node:readline');

/** Answer `NAME [ARGUMENT]...` with what commands[NAME](...arguments) returns, or promises. */
function serve(commands = {}) {
  const lines = readline.createInterface({ input: process.stdin });
  lines.on('line', async (line) => {
    const [name, ...args] = line.split(' ');
    console.log(JSON.stringify(await commands[name](...args)));
  });
  lines.on('close', () => process.exit(0));
  console.log('ready');
}

/** Call step() again and again, leaving the event loop its turn in between. */
function forever(step) {
  setImmediate(async function turn() {
    await step();
    setImmediate(turn);
  });
}

module.exports = { serve, forever };
