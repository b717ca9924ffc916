// SPDX-License-Identifier: Apache-2.0

// However Node is started with the agent, the agent is in each process and each thread, and the
// program says and sees the same as without. In programs that are not Node it does nothing.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';

import {
  agent,
  asNobody,
  line,
  makeFolder,
  needNode,
  nodeOf,
  programPath,
  readAgent,
} from './harness.mjs';

needNode();

const node = nodeOf(line);
const major = Number(line);
const folder = makeFolder();
const look = programPath('agent/look.cjs');
const children = programPath('agent/children.cjs');

/** Run a command, with or without the agent. */
function run([command, ...args], env, options = {}) {
  const { status, signal, stdout, stderr } = spawnSync(command, args, {
    cwd: folder,
    encoding: 'utf8',
    timeout: 60_000,
    ...options,
    env: { ...process.env, NODE_OPTIONS: '--no-warnings', ...env },
  });
  return { status, signal, stdout, stderr };
}

let count = 0;

/** Run it both ways; what it says must be the same. Returns what the agents in it say. */
function compare(argv, options) {
  const result = join(folder, `result-${count++}`);
  const plain = run(argv, {}, options);
  const env = { LD_PRELOAD: agent, READ_AGENT: readAgent, RESULT: result };
  const observed = run(argv, env, options);
  assert.deepEqual(observed, plain);
  assert.equal(plain.signal, null);
  if (!existsSync(result)) return [];
  return readFileSync(result, 'utf8').trim().split('\n').map((text) => JSON.parse(text));
}

/** Each of so many processes has an agent that works, and sees its main thread. */
function assertSeen(seen, processes) {
  assert.equal(seen.length, processes);
  for (const { reason, slots } of seen) {
    assert.equal(reason, 0);
    assert.equal(slots.filter((slot) => slot.kind === 'main' && slot.state === 'live').length, 1);
  }
}

const flags = [
  '--disallow-code-generation-from-strings',
  '--frozen-intrinsics',
  '--jitless',
  '--no-addons',
  '--single-threaded',
  '--preserve-symlinks-main',
  '--cpu-prof',
  '--enable-source-maps',
];
if (major === 22) flags.push('--experimental-async-context-frame');
if (major >= 24) flags.push('--no-async-context-frame');

for (const flag of flags) {
  test(flag, () => assertSeen(compare([node, flag, look]), 1));
}

if (major >= 20) {
  const permission = major >= 24 ? '--permission' : '--experimental-permission';
  test(permission, () => {
    const allow = ['--allow-fs-read=*', '--allow-child-process', '--allow-worker'];
    assertSeen(compare([node, permission, ...allow, look]), 1);
  });
}

const code = `require(${JSON.stringify(look)}).live()`;

test('a CommonJS program', () => assertSeen(compare([node, look]), 1));
test('an ES module', () => assertSeen(compare([node, programPath('agent/look.mjs')]), 1));
test('-e', () => assertSeen(compare([node, '-e', code]), 1));
test('-p', () => assertSeen(compare([node, '-p', `${code}; 1`]), 1));
test('stdin', () => assertSeen(compare([node], { input: code }), 1));
test('a module from -e', () => {
  const module = `import { createRequire } from 'node:module'; createRequire('/')`;
  const argv = [node, '--input-type=module', '-e', `${module}(${JSON.stringify(look)}).live()`];
  assertSeen(compare(argv), 1);
});
test('a relative path, after the folder has changed', () => {
  assertSeen(compare(['sh', '-c', 'cd / && exec "$0" "$1"', node, look]), 1);
});

test('workers of all sorts', () => {
  const seen = compare([node, programPath('agent/workers.cjs')]);
  assertSeen(seen, 1);
  assert.equal(seen[0].slots.filter((slot) => slot.kind === 'worker').length, 5);
});

test('children', () => {
  assertSeen(compare([node, children, 'fork']), 2);
  assertSeen(compare([node, children, 'spawn']), 2);
  assertSeen(compare([node, children, 'shell']), 2);
  assertSeen(compare([node, children, 'sync']), 2);
});

test('a cluster', () => assertSeen(compare([node, children, 'cluster']), 3));

test('node --test', () => {
  const argv = [node, '--test', '--test-reporter=tap', programPath('agent/case.test.cjs')];
  const result = join(folder, 'result-test');
  const env = { LD_PRELOAD: agent, READ_AGENT: readAgent, RESULT: result };
  const { status, stdout, stderr } = run(argv, env);
  assert.equal(status, 0, stdout);
  assert.equal(stderr, '');
  assertSeen([JSON.parse(readFileSync(result, 'utf8'))], 1);
});

test('NODIAG_AGENT=off', () => {
  const { status, stdout } = run([node, '-p', 'fs.readFileSync("/proc/self/maps", "utf8")'], {
    LD_PRELOAD: agent,
    NODIAG_AGENT: 'off',
  });
  assert.equal(status, 0);
  assert.doesNotMatch(stdout, /libnodiag-core/);
});

/** Programs that are not Node have the stub, and no more; the status is theirs. */
const others = {
  bash: ['bash', '-c', 'cat /proc/$$/maps; echo err >&2; exit 3'],
  python: ['python3', '-c', 'print(open("/proc/self/maps").read()); raise SystemExit(3)'],
  perl: ['perl', '-e', 'open F, "/proc/self/maps"; print <F>; exit 3'],
};

for (const [name, argv] of Object.entries(others)) {
  test(`${name} has nothing of it`, (t) => {
    if (spawnSync(argv[0], ['-c', '']).error) return t.skip(`there is no ${name}`);
    const { status, stdout, stderr } = run(argv, { LD_PRELOAD: agent });
    assert.equal(status, 3);
    assert.equal(stderr, name === 'bash' ? 'err\n' : '');
    assert.match(stdout, /libnodiag-agent/);
    assert.doesNotMatch(stdout, /libnodiag-core|memfd:nodiag/);
    return undefined;
  });
}

test('a setuid and a static program', () => {
  for (const argv of [['/bin/su', '--version'], ['/sbin/ldconfig', '--version']]) {
    if (!existsSync(argv[0])) continue;
    const as = process.getuid() === 0 ? asNobody.filter((arg) => !/caps|bounding/.test(arg)) : [];
    compare([...as, ...argv]);
  }
});
