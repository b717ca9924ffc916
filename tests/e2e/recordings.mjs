// SPDX-License-Identifier: Apache-2.0

// What tests of recordings ask them.

import { readProfile, start, succeed } from './harness.mjs';

/** The profile in a recording of a run's folder. */
export async function flameOf(folder, file, ...flags) {
  const args = ['flame', '-f', 'json', '-o', '-', ...flags, file];
  const run = await succeed(args, { folder });
  return Object.assign(readProfile(run), { notes: run.stderr });
}

export async function lagOf(folder, file) {
  return JSON.parse((await succeed(['lag', '--json', file], { folder })).stdout);
}

/** Start a program with the agent in it, and stop it after `body(program, pid)`. */
export async function withAgent(name, body) {
  const program = await start(name);
  try {
    await succeed(['attach', String(program.pid)]);
    await body(program, String(program.pid));
  } finally {
    await program.stop();
  }
}

/**
 * What an answer of nodiag lag says of the function that blocks the loop most; but not whether it
 * got the CPU, which other programs decide.
 */
export function worst({ stalls }) {
  const { phase, in: callee, from, ...rest } = stalls[0];
  return { phase, name: rest.function.name, file: rest.function.file, callee, from };
}
