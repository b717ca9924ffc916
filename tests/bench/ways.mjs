// SPDX-License-Identifier: Apache-2.0

// Ways to profile a Node process: nodiag, and what people use today.
//
// A way is an object of
//   start(node, folder)   the command in place of `node`, for tools that the program runs under
//   attach(pid, folder)   a command that profiles a running program until SIGINT
//   as                    a command to run program and tool with, as another user
//   missing()             why it cannot be used here

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { isRoot, nodiag, ours } from './lib.mjs';

/** `nodiag flame` until SIGINT. */
export function nodiagCommand(rate, { format = 'html', seconds = 3600 } = {}) {
  return (pid, folder) => {
    const output = join(folder, `nodiag.${format}`);
    return [
      nodiag,
      'flame',
      '-d',
      `${seconds}s`,
      '-r',
      rate,
      '-f',
      format,
      '-o',
      output,
      '--force',
      pid,
    ];
  };
}

/** `perf record` until SIGINT; without stacks, of the event that nodiag uses. */
export function perfCommand(rate, { stacks = true } = {}) {
  const what = stacks ? ['-g'] : ['-e', 'cpu-clock'];
  const options = ['-q', ...what, '-k', 'mono', '-F', rate];
  return (pid, folder) => [
    'perf',
    'record',
    ...options,
    '-o',
    join(folder, 'perf.data'),
    '-p',
    pid,
  ];
}

/** What perf needs to name JavaScript. */
export function perfStart(node) {
  return [node, '--perf-basic-prof', '--interpreted-frames-native-stack'];
}

export function cpuProfStart(node, folder) {
  return [node, '--cpu-prof', '--cpu-prof-dir', folder, '--cpu-prof-name', 'node.cpuprofile'];
}

export const zeroX = ours('node_modules/0x/cmd.js');
const clinic = ours('node_modules/clinic/bin.js');

export function zeroXStart(...options) {
  return (node, folder) => [node, zeroX, ...options, '-D', join(folder, '0x'), '--', node];
}

/** `clinic flame`, `clinic doctor`. */
export function clinicStart(tool, ...options) {
  return (node, folder) => [node, clinic, tool, ...options, '--dest', folder, '--', node];
}

export function needsRoot() {
  return isRoot ? '' : 'needs root';
}

export function needsUser() {
  const paranoid = Number(readFileSync('/proc/sys/kernel/perf_event_paranoid', 'utf8'));
  return isRoot && paranoid > 2 ? `kernel.perf_event_paranoid is ${paranoid}` : '';
}

export function needsPerf() {
  return spawnSync('perf', ['version']).error ? 'perf is not installed' : '';
}

export function needsClinic() {
  return existsSync(clinic) ? '' : "not installed: 'npm run peers'";
}
