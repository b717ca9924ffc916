// SPDX-License-Identifier: Apache-2.0

// A process whose environment asks for a snapshot when its heap is full: nobody runs nodiag.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { agent, makeFolder, needNode, start, until } from './harness.mjs';
import { countPlanted } from './planted.mjs';

const PROGRAM = 'heap-grow.cjs';
const OBJECTS = 12345;

/** Of 10 ms each: the analyzer and the child are niced, and a machine may be busy. */
const TRIES = 5000;

needNode();

test('it is taken while the process ends, and three are enough', async (t) => {
  const [folder, sockets, logs] = [makeFolder(), makeFolder(), makeFolder()];
  const log = join(logs, 'log');
  const readLog = () => (existsSync(log) ? readFileSync(log, 'utf8') : '');
  const as = ['env', `LD_PRELOAD=${agent}`, `NODIAG_HEAP_SNAPSHOT=${folder}`,
    `NODIAG_SOCKET=${sockets}`, `NODIAG_LOG=${log}`];
  const nodeFlags = ['--max-old-space-size=20'];
  const first = await start(PROGRAM, { as, nodeFlags, warmUp: 0 });
  await until(() => readLog().includes(`a heap snapshot goes to '${folder}'`), readLog(), TRIES);
  // Let it wait before the heap is full: it is told before that.
  await sleep(1000);
  await first.ask('leak');
  await until(() => readdirSync(folder).length === 1, 'there is no snapshot', TRIES);
  assert.equal(await first.exited, null);
  const [file] = readdirSync(folder);
  assert.match(file, new RegExp(`^heap-${first.pid}-.*\\.nd$`));
  assert.ok((await countPlanted(join(folder, file))) > 2 * OBJECTS);

  // Three are enough, however often the program is started again.
  for (const number of [1, 2]) writeFileSync(join(folder, `heap-${number}.nd`), '');
  const second = await start(PROGRAM, { as, warmUp: 0 });
  t.after(() => second.stop());
  await until(() => readLog().includes(`no heap snapshot will be taken: '${folder}' has 3`),
    readLog(), TRIES);
});
