// SPDX-License-Identifier: Apache-2.0

// Many starts, many workers, and many attachments to a busy server: no crash, no hang, no leak and
// no lost request. The numbers are small unless NODIAG_STRESS is "full"; then requests and asynchronous
// resources are followed as well.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import http from 'node:http';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

import {
  agent,
  line,
  makeFolder,
  needNode,
  needRoot,
  nodeOf,
  nodiag,
  programPath,
  readAgent,
  start,
  threadsNamed,
  until,
} from './harness.mjs';

needNode();
needRoot('to attach');

const isFull = process.env.NODIAG_STRESS === 'full';
const starts = isFull ? 1000 : 40;
const workers = isFull ? 200 : 40;
const cycles = isFull ? 200 : 15;
const readings = isFull ? ['all', '250'] : ['cpu', '250'];
const shortReadings = isFull ? ['all', '999', '0.1'] : ['stalls', '1', '0.02'];

const run = promisify(execFile);
const node = nodeOf(line);

/** What a process holds. */
function holdings(pid) {
  const count = (what) => readdirSync(`/proc/${pid}/${what}`).length;
  const fds = readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return '';
    }
  });
  return {
    // Those of connections come and go.
    fds: fds.filter((name) => !name.startsWith('socket:')).length,
    maps: readFileSync(`/proc/${pid}/maps`, 'utf8').trim().split('\n').length,
    threads: count('task'),
    rssMb: Number(readFileSync(`/proc/${pid}/status`, 'utf8').match(/VmRSS:\s*(\d+)/)[1]) / 1024,
  };
}

/** Ask again and again, on several connections, until told to stop. */
class Load {
  constructor(port) {
    this.answered = this.failed = 0;
    this.agent = new http.Agent({ keepAlive: true });
    this.clients = Array.from({ length: 8 }, () => this.#ask(port));
  }

  async #ask(port) {
    while (!this.stopped) {
      await new Promise((done) => {
        const request = http.get({ port, agent: this.agent }, (response) => {
          let text = '';
          response.on('data', (chunk) => (text += chunk));
          response.on('end', () => done(text === 'hello' ? this.answered++ : this.failed++));
        });
        request.on('error', (err) => {
          console.log(err.message);
          done(this.failed++);
        });
      });
      // The server is busy, and this machine has something left for the others.
      await sleep(1);
    }
  }

  /** Connections stay, since they are among what the server holds. */
  async stop() {
    this.stopped = true;
    await Promise.all(this.clients);
  }
}

/** Keep a server under load while `body` does something to it; it loses no request and holds no more. */
async function underLoad(as, body, warmUp) {
  // V8 would let its young generation grow with all that ever survived, to 128 MiB.
  const nodeFlags = ['--expose-gc', '--max-semi-space-size=1'];
  const program = await start('agent/server.cjs', { as, nodeFlags, warmUp: 100 });
  const load = new Load(await program.ask('port'));
  try {
    await warmUp(program);
    await program.ask('gc');
    const before = holdings(program.pid);
    await body(program);
    await load.stop();
    await program.ask('gc');
    const after = holdings(program.pid);
    console.log(`${load.answered} requests`, before, after);
    assert.equal(load.failed, 0);
    assert.ok(load.answered > 50, `only ${load.answered} requests`);
    assert.equal(program.child.exitCode, null);
    assert.equal(after.fds, before.fds);
    assert.ok(after.threads <= before.threads + 4, "more than V8's own come and go");
    assert.ok(after.maps < before.maps + 100, 'mappings');
    assert.ok(after.rssMb < before.rssMb + 30, 'memory');
    assert.match(readFileSync(`/proc/${program.pid}/status`, 'utf8'), /TracerPid:\t0/);
  } finally {
    await load.stop();
    load.agent.destroy();
    await program.stop();
  }
}

test(`${starts} starts and exits`, async () => {
  const sockets = makeFolder();
  const env = { ...process.env, LD_PRELOAD: agent, NODIAG_SOCKET: sockets };
  if (isFull) env.NODIAG_TRACE = '1';
  const endings = ['exits', 'falls', 'throwsAndGoesOn', 'kills'];
  const expected = { exits: [5, null], falls: [0, null], throwsAndGoesOn: [5, null],
    kills: [null, 'SIGKILL'] };
  const runOne = async (way) => {
    const child = spawn(node, [programPath('agent/ends.cjs'), way], { env, stdio: 'ignore' });
    const how = await new Promise((done) => child.once('exit', (...args) => done(args)));
    assert.deepEqual(how, expected[way]);
  };
  for (let i = 0; i < starts; i += 4) await Promise.all(endings.map(runOne));
  // One that is killed leaves its socket, and the next that starts removes it.
  assert.ok(readdirSync(sockets).length <= 4, 'sockets are left over');
});

const preloaded = ['env', `LD_PRELOAD=${agent}`];

test(`${workers} births and deaths of workers, with a reader`, async () => {
  let reader;
  const churn = async (program, total) => {
    await program.ask('churn', total, 6);
    for (let tries = 0; tries < 3000; tries++) {
      if ((await program.ask('churned')).ended === total) break;
      await sleep(20);
    }
    assert.deepEqual(await program.ask('churned'), { ended: total, failed: 0 });
  };
  await underLoad(preloaded, async (program) => {
    await churn(program, workers);
    reader.kill();
    const { stdout } = await run(readAgent, [String(program.pid)]);
    const { slots, left_out: leftOut } = JSON.parse(stdout);
    const generations = slots.filter((slot) => slot.kind === 'worker')
      .reduce((sum, slot) => sum + slot.generation, 0);
    assert.equal(leftOut, 0);
    assert.ok(generations >= workers, `${generations} workers were seen`);
    assert.equal(slots.filter((slot) => slot.kind === 'worker' && slot.state === 'live').length, 0);
  }, async (program) => {
    reader = spawn(readAgent, [String(program.pid), ...readings, '300'], { stdio: 'ignore' });
    await churn(program, 12);
  });
});

test(`${cycles} attachments to a busy server`, async () => {
  const cycle = async (program) => {
    const pid = String(program.pid);
    await run(nodiag, ['attach', pid]);
    const { stdout } = await run(readAgent, [pid, ...shortReadings]);
    const { reason, slots } = JSON.parse(stdout.split('\n').at(-2));
    assert.equal(reason, 0);
    assert.equal(slots.filter((slot) => slot.state === 'live').length, 2);
    await run(nodiag, ['detach', pid]);
    // Its last act is the answer.
    await until(() => threadsNamed(pid, 'nodiag').length === 0, 'its thread is still there');
  };
  await underLoad([], async (program) => {
    for (let i = 0; i < cycles; i++) await cycle(program);
  }, cycle);
});
