// SPDX-License-Identifier: Apache-2.0

// nodiag check says what works and what does not, and exits as nodiag flame would.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';

import {
  asNobody,
  line,
  makeFolder,
  needRoot,
  needSampling,
  nodeOf,
  runNodiag,
  start,
} from './harness.mjs';

needSampling();
needRoot('to be another user and to hide parts of the kernel');

const folder = makeFolder();
chmodSync(folder, 0o755);

/** The abilities by name, of an answer that exits with `status`. */
async function check(args, status, options) {
  const run = await runNodiag(['check', '--json', ...args], options);
  assert.equal(run.status, status, run.stderr);
  const answer = JSON.parse(run.stdout);
  assert.equal(answer.format, 'nodiag-check');
  assert.equal(answer.version, 1);
  assert.equal(answer.exit, status);
  const abilities = Object.fromEntries(answer.abilities.map((entry) => [entry.name, entry]));
  for (const { name, state, why } of answer.abilities) {
    assert.ok(state === 'ok' || why, `${name} is ${state}, and nobody knows why`);
  }
  return { ...answer, abilities };
}

/** As an option `as`: a command in a mount namespace in which `script` was run. */
const after = (script) => ['unshare', '--mount', 'sh', '-c', `${script} && exec "$@"`, 'sh'];

/** The same: a command for which these system calls fail. */
const deny = (...calls) => [process.env.ND_DENY, ...calls, '--'];

const noBtf = 'mount -t tmpfs tmpfs /sys/kernel/btf';

test('root may do everything', async () => {
  const { abilities, sampler, pid } = await check([], 0);
  assert.equal(sampler, 'eBPF');
  assert.equal(pid, null);
  for (const name of ['ebpf', 'kernel', 'perf_event', 'memory', 'ptrace', 'files']) {
    assert.equal(abilities[name].state, 'ok', `${name}: ${abilities[name].why}`);
  }
});

test('nobody may do little, and is told the command', async () => {
  const { abilities, sampler } = await check([], 0, { as: asNobody });
  assert.equal(sampler, 'perf_event');
  assert.equal(abilities.ebpf.state, 'no');
  assert.match(abilities.ebpf.why, /not permitted/);
  assert.match(abilities.ebpf.allow, /sudo setcap cap_bpf,\S+\+ep "\$\(command -v nodiag\)"/);
  assert.equal(abilities.kernel.state, 'no');
  assert.equal(abilities.perf_event.state, 'ok');
  assert.notEqual(abilities.memory.state, 'ok');
  assert.notEqual(abilities.files.state, 'ok');
});

test('without BTF there is perf_event', async () => {
  const { abilities, sampler } = await check([], 0, { as: after(noBtf) });
  assert.equal(sampler, 'perf_event');
  assert.equal(abilities.ebpf.state, 'no');
  assert.match(abilities.ebpf.why, /BTF/);
  assert.equal(abilities.kernel.state, 'no');
  assert.equal(abilities.perf_event.state, 'ok');
});

test('in a user namespace', async () => {
  const as = ['unshare', '--user', '--map-root-user'];
  const { abilities } = await check([], 0, { as });
  assert.equal(abilities.ebpf.state, 'no');
  assert.match(abilities.ebpf.why, /user namespace/);
  assert.match(abilities.ebpf.allow, /host/);
  assert.notEqual(abilities.files.state, 'ok');
});

test('under a seccomp filter, as containers have it', async () => {
  const first = (await check([], 0, { as: deny('bpf') })).abilities;
  assert.match(first.ebpf.why, /seccomp/);
  assert.match(first.ebpf.allow, /host/);
  assert.equal(first.perf_event.state, 'ok');

  const all = deny('bpf', 'perf_event_open', 'process_vm_readv', 'ptrace');
  const { abilities, sampler } = await check([], 4, { as: all });
  assert.equal(sampler, null);
  for (const name of ['ebpf', 'kernel', 'perf_event', 'memory', 'ptrace']) {
    assert.equal(abilities[name].state, 'no', name);
  }
  assert.match(abilities.perf_event.allow, /host/);
  assert.match(abilities.ptrace.allow, /host/);
});

test('inside of a pid namespace', async () => {
  const as = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const { abilities } = await check([], 0, { as });
  assert.equal(abilities.ebpf.state, 'ok', abilities.ebpf.why);
  assert.equal(abilities.processes.state, 'limited');
  assert.match(abilities.processes.allow, /host/);
});

test('a process', async () => {
  const program = await start('loop.cjs');
  try {
    const pid = String(program.pid);
    const answer = await check([pid], 0);
    const { runtime, memory, javascript, symbols, recording } = answer.abilities;
    assert.equal(answer.pid, program.pid);
    for (const ability of [runtime, memory, javascript, symbols, recording]) {
      assert.equal(ability.state, 'ok', ability.why);
    }
    const show = ['-p', 'process.versions.node'];
    const version = execFileSync(nodeOf(line), show, { encoding: 'latin1' });
    assert.ok(runtime.why.includes(` ${version.trim()},`), runtime.why);
    const [, samples, named] = /(\d+) samples in .*, (\d+) of them with Java/.exec(recording.why);
    assert.ok(samples > 0 && named / samples > 0.9, recording.why);

    const refused = (await check([pid], 4, { as: asNobody })).abilities;
    for (const name of ['runtime', 'memory', 'recording']) {
      assert.equal(refused[name].state, 'no');
      assert.match(refused[name].allow, /sudo/);
    }
  } finally {
    await program.stop();
  }
});

test('what is special in a process', async () => {
  const stripped = join(folder, 'stripped');
  execFileSync('strip', ['-o', stripped, nodeOf(line)]);
  const program = await start('idle.cjs', {
    node: stripped,
    nodeFlags: ['--interpreted-frames-native-stack'],
    as: asNobody,
    warmUp: 200,
  });
  try {
    const { abilities } = await check([String(program.pid)], 0, { as: asNobody });
    assert.equal(abilities.symbols.state, 'limited');
    assert.match(abilities.symbols.why, /stripped/);
    assert.match(abilities.flags.why, /--interpreted-frames-native-stack/);
    assert.match(abilities.recording.why, /perf_event/);
  } finally {
    await program.stop();
  }
});
