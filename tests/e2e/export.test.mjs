// SPDX-License-Identifier: Apache-2.0

// What 'nodiag export' does when a collector answers as real ones seldom do. Nothing is observed:
// it sends a recording of the tree.

import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

import { agent, line, makeFolder, needNode, nodeOf } from './harness.mjs';
import { programPath, runNodiag, skip, until } from './harness.mjs';
import { decode, half, ok, partial, receive, receiveGrpc, slow, status } from './receiver.mjs';

needNode();
if (spawnSync('protoc', ['--version']).error) skip('there is no protoc');

const here = dirname(fileURLToPath(import.meta.url));
const recording = join(here, '../format/recordings/1.0.nd');
const metrics = '/v1/metrics';
const profiles = '/v1development/profiles';

/** Export the recording's metrics to a receiver with that script. */
async function exportTo(answers, options = {}) {
  const receiver = await receive({ [metrics]: answers });
  const { args = ['--signal', 'metrics'], env } = options;
  const run = await runNodiag(['export', '--endpoint', receiver.url, ...args, recording], { env });
  receiver.close();
  return { ...run, stdout: run.stdout.toString(), requests: receiver.requests };
}

/** How many points all of it are. */
async function countPoints() {
  const { stdout } = await runNodiag(['export', '--dry-run', '--signal', 'metrics', recording]);
  return Number(/^(\d+) data points/.exec(stdout)[1]);
}

// They wait most of the time.
describe('nodiag export', { concurrency: 4 }, () => {
  it('all is taken', async () => {
    const run = await exportTo([ok], { args: [] });
    assert.equal(run.status, 0, run.stderr);
    const points = await countPoints();
    const want = new RegExp(`^${points} data points sent to http://127.*\n1 profile sent`);
    assert.match(run.stdout, want);
    assert.deepEqual(run.requests.map((request) => request.path).sort(), [metrics, profiles]);
    for (const { headers } of run.requests) {
      assert.equal(headers['content-type'], 'application/x-protobuf');
      assert.equal(headers['content-encoding'], undefined);
      assert.match(headers['user-agent'], /^OTel-OTLP-Exporter-nodiag\/\d/);
    }
    const text = run.requests.map(decode).join('');
    assert.match(text, /name: "nodejs\.eventloop\.utilization"/);
    assert.match(text, /string_value: "v8js"/);
    assert.match(text, /string_value: "unknown_service:node"/);
  });

  it('gzip, a header, a service', async () => {
    const env = {
      OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
      OTEL_EXPORTER_OTLP_HEADERS: 'x-tenant=a%20b',
      OTEL_SERVICE_NAME: 'shop',
    };
    const run = await exportTo([ok], { env });
    assert.equal(run.status, 0, run.stderr);
    const [request] = run.requests;
    assert.equal(request.headers['content-encoding'], 'gzip');
    assert.equal(request.headers['x-tenant'], 'a b');
    assert.match(decode(request), /string_value: "shop"/);
  });

  it('429 with a date, then 503, then it is taken', async () => {
    const date = new Date(Date.now() + 3000).toUTCString();
    const answers = [status(429, 'too many', { 'retry-after': date }), status(503, 'busy'), ok];
    const run = await exportTo(answers);
    assert.equal(run.status, 0, run.stderr);
    assert.equal(run.requests.length, 3);
    // The same bytes each time, and not before that date.
    assert.deepEqual(run.requests[0].body, run.requests[2].body);
    assert.ok(run.requests[1].time >= Date.parse(date) - 1000, 'it came too early');
    assert.match(run.stderr, /HTTP 429, too many; trying again/);
    assert.match(run.stderr, /HTTP 503, busy; trying again/);
  });

  it('half an answer, then none in time, then it is taken', async () => {
    const env = { OTEL_EXPORTER_OTLP_TIMEOUT: '500' };
    const run = await exportTo([half, slow, ok], { env });
    assert.equal(run.status, 0, run.stderr);
    assert.equal(run.requests.length, 3);
    assert.match(run.stderr, /trying again/);
  });

  it('400 is for good', async () => {
    const run = await exportTo([status(400, 'no such tenant')]);
    assert.equal(run.status, 1);
    assert.equal(run.stdout, '');
    assert.equal(run.requests.length, 1);
    assert.match(run.stderr, /HTTP 400, no such tenant\n/);
    assert.match(run.stderr, new RegExp(`data points that were refused: ${await countPoints()}\n`));
  });

  it('a redirect is not followed', async () => {
    const other = await receive();
    const run = await exportTo([{ status: 307, headers: { location: other.url } }]);
    other.close();
    assert.equal(run.status, 1);
    assert.equal(other.requests.length, 0);
  });

  it('a part is rejected', async () => {
    const run = await exportTo([partial(3, 'too old')]);
    const points = await countPoints();
    assert.equal(run.status, 1);
    assert.equal(run.requests.length, 1);
    assert.match(run.stdout, new RegExp(`^${points - 3} data points sent`));
    assert.match(run.stderr, /not all was taken, too old\n/);
    assert.match(run.stderr, /data points that were rejected: 3\n/);
  });

  it('a success that rejects nothing is one', async () => {
    const run = await exportTo([partial(0, '')]);
    assert.equal(run.status, 0, run.stderr);
    assert.equal(run.stderr, '');
  });

  it('gRPC: unavailable, then it is taken; and refused for good', async () => {
    const env = { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', OTEL_EXPORTER_OTLP_HEADERS: 'X-Tenant=a' };
    const run = async (answers) => {
      const receiver = await receiveGrpc(answers);
      const args = ['export', '--signal', 'metrics', '--endpoint', receiver.url, recording];
      const result = await runNodiag(args, { env });
      receiver.close();
      return { ...result, calls: receiver.calls };
    };
    const busy = { 'grpc-status': 14, 'grpc-message': 'too%20busy' };
    const taken = await run([busy, { 'grpc-status': 0 }]);
    assert.equal(taken.status, 0, taken.stderr);
    assert.equal(taken.calls.length, 2);
    const [{ headers, body }] = taken.calls;
    assert.match(headers[':path'], /\/opentelemetry.*\.MetricsService\/Export$/);
    assert.equal(headers['content-type'], 'application/grpc');
    assert.equal(headers.te, 'trailers');
    assert.equal(headers['x-tenant'], 'a');
    assert.equal(body[0], 0);
    assert.equal(body.readUInt32BE(1), body.length - 5);
    assert.match(decode({ path: metrics, body: body.subarray(5) }), /nodejs\.eventloop\.time/);
    assert.match(taken.stderr, /gRPC status 14, too busy; trying again/);
    const refused = await run([{ 'grpc-status': 16, 'grpc-message': 'who are you' }]);
    assert.equal(refused.status, 1);
    assert.equal(refused.calls.length, 1);
    assert.match(refused.stderr, /gRPC status 16, who are you\n/);
  });

  it('no secret is shown, not even by the server', async () => {
    const receiver = await receive({
      '/v1/metrics?key=QUERYSECRET': [status(401, 'Bearer HEADERSECRET and QUERYSECRET are wrong')],
    });
    const endpoint = receiver.url.replace('http://', 'http://USER:PASSSECRET@');
    const run = await runNodiag(
      ['export', '--signal', 'metrics', '--endpoint', `${endpoint}/?key=QUERYSECRET`, recording],
      { env: { OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20HEADERSECRET' } },
    );
    receiver.close();
    assert.equal(run.status, 1);
    assert.equal(receiver.requests[0].headers.authorization, 'Bearer HEADERSECRET');
    assert.match(run.stderr, /HTTP 401/);
    assert.doesNotMatch(run.stdout + run.stderr, /SECRET/);
  });

  it('the queue outlives a kill, and is sent first', async () => {
    const queue = join(makeFolder(), 'queue');
    const args = ['--signal', 'metrics', '--queue', queue, recording];
    const closed = await receive({ [metrics]: [status(503, 'down')] });
    const killed = await runNodiag(['export', '--endpoint', closed.url, ...args], {
      async onStart(child) {
        await until(() => closed.requests.length > 0, 'it did not send');
        child.kill('SIGKILL');
      },
    });
    closed.close();
    assert.equal(killed.signal, 'SIGKILL');
    assert.equal(readdirSync(queue).filter((name) => name.endsWith('.gz')).length, 1);

    const open = await receive();
    const how = ['--endpoint', open.url, '--compression', 'zstd'];
    const run = await runNodiag(['export', ...how, ...args]);
    open.close();
    assert.equal(run.status, 0, run.stderr);
    assert.equal(open.requests.length, 2);
    // What waits with gzip is sent as this one sends.
    for (const { headers, body } of open.requests) {
      assert.equal(headers['content-encoding'], 'zstd');
      assert.equal(body.toString('hex', 0, 4), '28b52ffd');
    }
    const points = 2 * (await countPoints());
    assert.match(run.stdout.toString(), new RegExp(`^${points} data points sent`));
    assert.deepEqual(readdirSync(queue), ['lock']);
  });

  it('Ctrl-C ends the waiting, and says what was not sent', async () => {
    const receiver = await receive({ [metrics]: [status(503, 'down')] });
    const run = await runNodiag(
      ['export', '--signal', 'metrics', '--endpoint', receiver.url, recording],
      {
        async onStart(child) {
          await until(() => receiver.requests.length > 0, 'it did not send');
          child.kill('SIGINT');
        },
      },
    );
    receiver.close();
    assert.equal(run.status, 1, run.stderr);
    assert.match(run.stderr, /data points that were not sent: \d+\n/);
  });

  it('nothing of a process is lost while the collector is down', async () => {
    const receiver = await receive({ [metrics]: [status(503, 'down'), status(503, 'down'), ok] });
    const program = spawn(nodeOf(line), [programPath('stalls.cjs')], {
      env: { ...process.env, LD_PRELOAD: agent },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await new Promise((done) => program.stdout.once('data', done));
    const args = ['export', '--endpoint', receiver.url, String(program.pid)];
    const run = await runNodiag(args, {
      env: { OTEL_METRIC_EXPORT_INTERVAL: '1000' },
      async onStart(child) {
        for (const count of [1, 2, 3, 5]) {
          await until(() => receiver.requests.length >= count, 'it did not go on');
        }
        child.kill('SIGINT');
      },
    });
    program.kill('SIGKILL');
    receiver.close();
    assert.equal(run.status, 0, run.stderr);
    const taken = receiver.requests.filter((request) => request.status === 200);
    const texts = taken.map(decode);
    const times = texts.map((text) => / time_unix_nano: (\d+)/.exec(text)[1]);
    assert.ok(times.length >= 4, `only ${times.length} requests were taken`);
    assert.deepEqual(times, [...new Set(times)].sort(), 'in order, each once');
    const points = texts.join('').split(' time_unix_nano:').length - 1;
    assert.match(run.stdout.toString(), new RegExp(`^${points} data points sent`));
  });

  it('TLS: who signed the server, and a certificate of the client', async (t) => {
    if (spawnSync('openssl', ['version']).error) return t.skip('there is no openssl');
    const folder = makeFolder();
    const openssl = (...args) => execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
    for (const name of ['server', 'client']) {
      const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1'];
      const files = ['-keyout', `${name}.key`, '-out', `${name}.pem`];
      const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
      openssl('req', '-x509', ...key, ...subject, ...files);
    }
    const file = (name) => readFileSync(join(folder, name));
    const receiver = await receive(
      {},
      {
        key: file('server.key'),
        cert: file('server.pem'),
        ca: file('client.pem'),
        requestCert: true,
        rejectUnauthorized: true,
      },
    );
    const args = ['export', '--signal', 'metrics', '--endpoint', receiver.url, recording];
    const env = {
      OTEL_EXPORTER_OTLP_CERTIFICATE: join(folder, 'server.pem'),
      OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: join(folder, 'client.pem'),
      OTEL_EXPORTER_OTLP_CLIENT_KEY: join(folder, 'client.key'),
    };
    const known = await runNodiag(args, { env });
    assert.equal(known.status, 0, known.stderr);
    assert.equal(receiver.requests.length, 1);
    // A file that is not there is not the server's fault, and not tried again.
    const missing = { ...env, OTEL_EXPORTER_OTLP_CERTIFICATE: join(folder, 'none.pem') };
    assert.equal((await runNodiag(args, { env: missing })).status, 1);
    // A server that nobody vouches for gets nothing.
    const unknown = await runNodiag(args, {
      async onStart(child) {
        await new Promise((done) => child.stderr.once('data', done));
        child.kill('SIGINT');
      },
    });
    receiver.close();
    assert.equal(unknown.status, 1);
    assert.match(unknown.stderr, /certificate/);
    assert.equal(receiver.requests.length, 1);
  });
});
