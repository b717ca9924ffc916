// SPDX-License-Identifier: Apache-2.0
'use strict';

// Starts itself again: forked, spawned, by a shell, and as workers of a cluster.

const { fork, spawn, spawnSync } = require('node:child_process');
const cluster = require('node:cluster');
const { live, look } = require('./look.cjs');

const [way] = process.argv.slice(2);

const ways = {
  fork: () => fork(__filename, ['child']),
  spawn: () => spawn(process.execPath, [__filename, 'child'], { stdio: 'inherit' }),
  shell: () => spawn('sh', ['-c', '"$0" "$@"; exit $?', process.execPath, __filename, 'child'], {
    stdio: 'inherit',
  }),
  cluster: () => {
    cluster.setupPrimary({ args: ['child'] });
    for (let i = 0; i < 2; i++) cluster.fork();
    cluster.on('exit', (worker, status) => console.log(`worker: ${status}`));
    return cluster;
  },
  sync: () => {
    const { status } = spawnSync(process.execPath, [__filename, 'child'], { stdio: 'inherit' });
    console.log(`child: ${status}`);
    return { on: () => {} };
  },
};

if (way === 'child') {
  // One line is enough from several at once.
  if (cluster.isWorker) look(() => process.exit(7));
  else live();
} else {
  const child = ways[way]();
  if (child !== cluster) child.on('exit', (status) => console.log(`child: ${status}`));
  look(() => {});
}
