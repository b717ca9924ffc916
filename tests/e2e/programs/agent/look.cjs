// SPDX-License-Identifier: Apache-2.0
'use strict';

// Says what a program can see of itself, and lets READ_AGENT look at the agent in it, whose answer
// is one line of the file RESULT. Without READ_AGENT it only says; all else is the same.

const { execFileSync } = require('node:child_process');

/** What somebody could notice of an agent. */
function describe() {
  return {
    argv: process.argv.length,
    execArgv: process.execArgv,
    nodeOptions: process.env.NODE_OPTIONS ?? null,
    handles: process._getActiveHandles().length,
    signals: process.eventNames().filter((name) => String(name).startsWith('SIG')),
    title: process.title === process.argv0 || process.title.length > 0,
  };
}

// On a busy machine the agent's thread may not have had a CPU yet.
const script = `for i in $(seq 100); do
  "$0" "$1" >> "$2" 2> /dev/null && exit
  sleep 0.05
done
exit 1`;

/** Call `then` once the loop has come round, and the agent was looked at. */
function look(then) {
  setTimeout(() => {
    const { READ_AGENT, RESULT } = process.env;
    if (READ_AGENT) {
      execFileSync('sh', ['-c', script, READ_AGENT, String(process.pid), RESULT]);
    }
    then();
  }, 20);
}

/** A program's whole life: say something on both outputs, and end with status 7. */
function live() {
  console.log(JSON.stringify(describe()));
  console.error('on stderr');
  process.exitCode = 7;
  look(() => {});
}

module.exports = { live, look };
if (require.main === module) live();
