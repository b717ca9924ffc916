// SPDX-License-Identifier: Apache-2.0
'use strict';

// How a benchmark talks to its program, whatever tool the program was started under: the program
// connects to the socket $BENCH_SOCKET, says who it is, and answers every line with one of JSON.
// It ends when the socket closes, so that none is left behind.

const net = require('node:net');
const readline = require('node:readline');

const startedNs = process.hrtime.bigint();

/** Answer `NAME [ARGUMENT]...` with what commands[NAME](...arguments) resolves to. */
function serve(commands, greeting = {}) {
  const socket = net.connect(process.env.BENCH_SOCKET);
  const write = (answer) => socket.write(`${JSON.stringify(answer)}\n`);
  socket.on('error', () => process.exit(1));
  socket.on('close', () => process.exit(0));
  readline.createInterface({ input: socket }).on('line', async (line) => {
    const [name, ...args] = line.split(' ');
    write(await commands[name](...args));
  });
  write({ pid: process.pid, startedNs: String(startedNs), ...greeting });
}

/** CPU time of the whole process so far, in microseconds. */
function cpuUs() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

module.exports = { serve, cpuUs };
