// SPDX-License-Identifier: Apache-2.0

// nodiag ps finds Node.js whatever it is called and wherever it runs, and tells the truth of it.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import {
  asNobody,
  line,
  makeFolder,
  needRoot,
  needSampling,
  nodeOf,
  programPath,
  runNodiag,
  start,
} from './harness.mjs';

needSampling();
needRoot('to be another user and to make namespaces');

const node = nodeOf(line);
const version = (name) =>
  execFileSync(node, ['-p', `process.versions.${name}`], { encoding: 'latin1' }).trim();
const expected = { node: version('node'), v8: version('v8').replace(/-node.*/, '') };
const folder = makeFolder();
chmodSync(folder, 0o755);

async function list(options) {
  const run = await runNodiag(['ps', '--json'], options);
  assert.equal(run.status, 0, run.stderr);
  const answer = JSON.parse(run.stdout);
  assert.equal(answer.format, 'nodiag-ps');
  assert.equal(answer.version, 1);
  return answer;
}

/** What nodiag ps says of a process. */
async function see(pid, options) {
  const { processes } = await list(options);
  const found = processes.filter((process) => process.pid === pid);
  assert.equal(found.length, 1, `${pid} is there ${found.length} times`);
  return found[0];
}

/** Run `check` on what nodiag ps says of a program that waits. */
async function watch(options, check) {
  const program = await start('idle.cjs', { warmUp: 200, ...options });
  try {
    await check(program, (how) => see(program.pid, how));
  } finally {
    await program.stop();
  }
}

/** The only child of a process. */
function childOf(pid) {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1'));
}

test('a plain process', async () => {
  await watch({ args: ['0', '', '--port', '3000'] }, async (program, look) => {
    const seen = await look();
    assert.equal(seen.node, expected.node);
    assert.ok(seen.v8.startsWith(expected.v8) || expected.v8.startsWith(seen.v8), seen.v8);
    assert.equal(seen.ppid, process.pid);
    assert.equal(seen.uid, 0);
    assert.equal(seen.executable, node);
    assert.equal(seen.script, programPath('idle.cjs'));
    assert.deepEqual(seen.arguments, [node, programPath('idle.cjs'), '0', '', '--port', '3000']);
    assert.equal(seen.folder, process.cwd());
    const status = readFileSync(`/proc/${program.pid}/status`, 'latin1');
    assert.equal(seen.threads, Number(/^Threads:\s+(\d+)/m.exec(status)[1]));
    assert.equal(seen.workers, 0);
    assert.ok(seen.rss_bytes > 10e6 && seen.rss_bytes < 1e9, `${seen.rss_bytes} bytes`);
    assert.ok(seen.age_ns > 0 && seen.age_ns < 600e9, `${seen.age_ns} ns`);
    assert.ok(seen.cpu_ns > 0);
    assert.equal(seen.namespace_pid, program.pid);
    assert.equal(seen.pid_namespace, false);
    assert.equal(seen.mount_namespace, false);
    assert.equal(seen.sees.javascript, true);
    assert.equal(seen.sees.native_names, true);
    assert.equal(seen.sees.sampler, 'eBPF');
    assert.equal(seen.sees.why, null);
  });
});

test('workers are counted, and those that ended are not', async () => {
  await watch({ args: ['3'] }, async (program, look) => {
    assert.equal((await look()).workers, 3);
    await program.ask('end');
    await sleep(500);
    assert.equal((await look()).workers, 2);
  });
});

test('a process that gave itself a title', async () => {
  const title = 'next-server (v14.1.0)';
  await watch({ args: ['1', title] }, async (program, look) => {
    const seen = await look();
    assert.deepEqual(seen.arguments, [title]);
    assert.equal(seen.script, null);
    assert.equal(seen.node, expected.node);
    assert.equal(seen.workers, 1);
  });
});

test('a copy with another name, which was deleted since', async () => {
  const renamed = join(folder, 'renamed');
  copyFileSync(node, renamed);
  await watch({ node: renamed }, async (program, look) => {
    execFileSync('rm', [renamed]);
    const seen = await look();
    assert.equal(seen.node, expected.node);
    assert.equal(seen.workers, 0);
    assert.match(seen.executable, /renamed/);
  });
});

test('a stripped node', async () => {
  const stripped = join(folder, 'stripped');
  execFileSync('strip', ['-o', stripped, node]);
  await watch({ node: stripped }, async (program, look) => {
    const seen = await look();
    assert.equal(seen.node, expected.node, 'its memory tells the version');
    assert.equal(seen.workers, null, 'without symbols workers cannot be told');
    assert.equal(seen.sees.javascript, true);
    assert.equal(seen.sees.native_names, false);
    assert.match(seen.sees.why, /stripped/);
  });
});

test('a node without the metadata of V8, as Electron is', async () => {
  const mute = join(folder, 'mute');
  const data = readFileSync(node);
  for (let at = data.indexOf('v8dbg_'); at >= 0; at = data.indexOf('v8dbg_', at + 1)) {
    data.write('v8xxx_', at, 'latin1');
  }
  writeFileSync(mute, data);
  chmodSync(mute, 0o755);
  await watch({ node: mute }, async (program, look) => {
    const seen = await look();
    assert.equal(seen.node, expected.node);
    assert.equal(seen.sees.sampler, 'eBPF');
    assert.equal(seen.sees.javascript, false);
    assert.match(seen.sees.why, /no names/);
  });
});

test('a process in another pid namespace', async () => {
  const as = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const outer = await start('idle.cjs', { as, args: ['2'], warmUp: 200 });
  const pid = childOf(outer.pid);
  const seen = await see(pid);
  assert.equal(seen.node, expected.node);
  assert.equal(seen.workers, 2);
  assert.equal(seen.pid_namespace, true);
  assert.equal(seen.mount_namespace, true);
  assert.equal(seen.namespace_pid, 1);
  await outer.stop();
});

test('a process of root, seen by somebody else', async () => {
  for (const args of [['1'], ['1', 'next-server (v14.1.0)']]) {
    await watch({ args }, async (program, look) => {
      const seen = await look({ as: asNobody });
      assert.equal(seen.node, null);
      assert.equal(seen.workers, null);
      assert.equal(seen.uid, 0);
      assert.equal(seen.sees.sampler, null);
      assert.match(seen.sees.why, /root/);
      assert.match(seen.sees.hint, /sudo/);
    });
  }
});

test("somebody else's process, seen by themselves and by root", async () => {
  await watch({ args: ['2'], as: asNobody }, async (program, look) => {
    const own = await look({ as: asNobody });
    assert.equal(own.node, expected.node);
    assert.equal(own.workers, 2);
    assert.equal(own.sees.sampler, 'perf_event');
    assert.equal(own.sees.javascript, true);
    assert.match(own.sees.why, /kernel frames/);
    const seen = await look();
    assert.equal(seen.uid, 65534);
    assert.equal(seen.sees.sampler, 'eBPF');
  });
});

test('the busy one comes first, and the table says the same', async () => {
  const busy = await start('loop.cjs', { warmUp: 200 });
  const idle = await start('idle.cjs', { warmUp: 200 });
  try {
    const { processes } = await list();
    const pids = processes.map((process) => process.pid);
    assert.ok(pids.indexOf(busy.pid) < pids.indexOf(idle.pid));
    const [first, second] = [busy, idle].map(({ pid }) => processes[pids.indexOf(pid)]);
    assert.ok(first.cpu > second.cpu, `${first.cpu} and ${second.cpu} cores`);
    const { status, stdout } = await runNodiag(['ps']);
    assert.equal(status, 0);
    const rows = stdout.toString().split('\n');
    assert.match(rows[0], /^ *PID +USER +NODE +THR +WRK +CPU% +RSS +UP .*SEES( +AGENT)? +SCRIPT$/);
    const row = rows.find((text) => text.trimStart().startsWith(`${busy.pid} `));
    assert.ok(row?.includes(` ${expected.node} `), row);
    assert.ok(row.includes(programPath('loop.cjs')), row);
  } finally {
    await busy.stop();
    await idle.stop();
  }
});

test('a hidden /proc is told', async () => {
  await watch({}, async (program) => {
    const script = 'mount -t proc -o hidepid=2 proc /proc && shift && exec "$@"';
    const hide = ['unshare', '--mount', 'sh', '-c', script, 'sh', 'x', ...asNobody];
    const { hidden, processes } = await list({ as: hide });
    assert.equal(hidden, true);
    assert.ok(!processes.some(({ pid }) => pid === program.pid), 'it is not hidden');
    const run = await runNodiag(['ps'], { as: hide });
    assert.match(run.stderr, /hidepid/);
  });
});

test('without a target there must be just one', async () => {
  const script = `"$1" "$2" & "$1" "$2" & sleep 1; "$3" flame -d 1s; echo "status $?"; kill -9 %1 %2`;
  const shell = ['bash', '-c', script, 'bash', node, programPath('loop.cjs'), process.env.NODIAG];
  const unshare = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc', ...shell];
  const child = spawn(unshare[0], unshare.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) {
    child[name].on('data', (chunk) => (output[name] += chunk));
  }
  await new Promise((done) => child.once('close', done));
  assert.match(output.stdout, /status 2/);
  assert.match(output.stderr, /which of these/);
  assert.equal(output.stderr.split(programPath('loop.cjs')).length, 3, output.stderr);
});
