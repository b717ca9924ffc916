// SPDX-License-Identifier: Apache-2.0

// Ways into a process and out of it: Node's debugger, a container, and samples by the agent where
// the kernel refuses all others.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, readlinkSync, readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import test from 'node:test';

import {
  agent,
  needRoot,
  needSampling,
  nodiag,
  readProfile,
  runNodiag,
  start,
  succeed,
} from './harness.mjs';

needSampling();
needRoot('to refuse system calls and to make namespaces');

const deny = (...calls) => [process.env.ND_DENY, ...calls, '--'];

async function withProgram(name, options, body) {
  const program = await start(name, options);
  try {
    await body(program, String(program.pid));
  } finally {
    await program.stop();
  }
}

/** The loops that the agent tells of. */
async function loopsOf(pid) {
  const run = await succeed(['lag', '--json', '-d', '300ms', pid]);
  return JSON.parse(run.stdout).loops;
}

/** Addresses of 127.0.0.1 that a process of this network namespace listens at. */
function listens(pid) {
  const sockets = new Set(readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return '';
    }
  }));
  const rows = readFileSync(`/proc/${pid}/net/tcp`, 'utf8').split('\n').slice(1);
  return rows.map((row) => row.trim().split(/\s+/))
    .filter(([, local, , state, , , , , , inode]) => state === '0A' &&
      local.startsWith('0100007F') && sockets.has(`socket:[${inode}]`))
    .map(([, local]) => local);
}

test("attach through Node's debugger, and leave it closed", async () => {
  await withProgram('http.cjs', {}, async (program, pid) => {
    const before = listens(pid);
    await succeed(['attach', '--via', 'inspector', pid], { as: deny('ptrace') });
    const [main] = await loopsOf(pid);
    assert.equal(main.kind, 'main');
    assert.ok(main.observed_ns > 0);
    assert.deepEqual(listens(pid), before, 'the debugger is closed again');
    await succeed(['detach', pid]);
  });
});

test("attach through Node's debugger to an endless loop", async () => {
  await withProgram('loop.cjs', {}, async (program, pid) => {
    await succeed(['attach', '--via', 'inspector', pid]);
    const run = await succeed(['lag', '--json', '-d', '1s', pid]);
    const [stall] = JSON.parse(run.stdout).stalls;
    assert.equal(stall.going_on, 1);
    assert.match(stall.function.name, /stuck|spin/);
  });
});

test('attach to a process in a container, twice', async () => {
  // Its files are others: the folder of the agent is hidden from it.
  const hide = ['unshare', '-m', 'sh', '-c', 'mount -t tmpfs tmpfs "$0" && exec "$@"',
    dirname(agent)];
  await withProgram('http.cjs', { as: hide }, async (program, pid) => {
    for (let time = 0; time < 2; time++) {
      await succeed(['attach', pid]);
      assert.equal((await loopsOf(pid))[0].kind, 'main');
      await succeed(['detach', pid]);
    }
    const files = readdirSync(`/proc/${pid}/fd`).filter((fd) =>
      readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith('/memfd:nodiag-core'));
    assert.equal(files.length, 1, 'one copy of the agent');
  });
});

test('flame by the agent where the kernel refuses eBPF and perf_event', async () => {
  const as = ['env', `LD_PRELOAD=${agent}`];
  await withProgram('phases.cjs', { as }, async (program, pid) => {
    const args = ['flame', '-d', '3s', '-f', 'json', '-o', '-', pid];
    const run = await runNodiag(args, { as: deny('bpf', 'perf_event_open') });
    const profile = readProfile(run);
    assert.equal(profile.info.sampler, 'the agent');
    assert.ok(profile.samples > 100, `${profile.samples} samples`);
    assert.ok(profile.share((frame) => frame.kind === 'js') > 0.3, profile.table());
    // Objects move between the sample and its name; what is not sure has no name.
    assert.ok(profile.share((frame) => frame.name === '[unknown JS]') < 0.3, profile.table());
    assert.match(run.stderr, /not permitted/, 'why not the others');
  });
});

test('without an agent there is nothing left', () => {
  const [command, ...rest] = deny('bpf', 'perf_event_open');
  const run = spawnSync(command, [...rest, nodiag, 'flame', String(process.pid)]);
  assert.equal(run.status, 4, String(run.stderr));
});
