// SPDX-License-Identifier: Apache-2.0

// Each worker has an isolate of its own, and its functions are not mixed up with others'.

import assert from 'node:assert/strict';
import test from 'node:test';

import { needSampling, percent, record, start } from './harness.mjs';

const hot = {
  'workers.cjs': 'hotInMain',
  'workers/alpha.cjs': 'hotInAlpha',
  'workers/beta.cjs': 'hotInBeta',
  'workers/gamma.cjs': 'hotInGamma',
};

needSampling();
const program = await start('workers.cjs');
const together = await record(program);
const apart = await record(program, { flags: ['--threads'] });
await program.stop();

test('every thread has its share', () => {
  for (const [file, name] of Object.entries(hot)) {
    const share = together.share(together.own(file, name));
    assert.ok(share > 0.1, `${name}: ${percent(share)}\n${together.table()}`);
  }
  const all = together.share((frame) => Object.values(hot).includes(frame.name));
  assert.ok(all > 0.9, together.table());
});

test('--threads puts every hot function below one thread of its own', () => {
  const seen = new Set();
  for (const thread of apart.threads()) {
    const names = Object.values(hot).filter((name) => thread.share(name) > 0);
    assert.ok(names.length <= 1, `${names.join(' and ')} in one thread\n${thread.table()}`);
    if (names.length === 0) continue;
    assert.ok(thread.share(names[0]) > 0.9, thread.table());
    assert.ok(!seen.has(names[0]), `${names[0]} in two threads`);
    seen.add(names[0]);
  }
  assert.deepEqual([...seen].sort(), Object.values(hot).sort());
});

test('workers born during the recording are seen', async () => {
  const late = await start('late-workers.cjs', { warmUp: 0 });
  const profile = await record(late, { seconds: 3 });
  await late.stop();
  const share = profile.share(profile.own('workers/alpha.cjs', 'hotInAlpha'));
  assert.ok(share > 0.3, profile.table());
});
