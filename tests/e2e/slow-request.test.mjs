// SPDX-License-Identifier: Apache-2.0

// examples/03-slow-request, as its README has it: two services under load, a collector, and the
// reasons why requests were slow.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

import { line, makeFolder, needNode, nodeOf, nodiag, runNodiag, skip } from './harness.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const example = join(root, 'examples/03-slow-request');

needNode();
if (!existsSync(join(example, 'node_modules'))) skip(`run 'npm ci' in ${example}`);
const collector = spawnSync(join(root, 'scripts/collector'), { encoding: 'utf8' });
if (collector.status !== 0) skip(collector.stderr.trim());

test('the example runs, and shows why its requests are slow', async () => {
  const out = makeFolder();
  const env = { ...process.env, NODIAG: nodiag, NODE: nodeOf(line), OUT: out };
  const run = spawnSync(join(example, 'run'), ['3'], { encoding: 'utf8', env, timeout: 60_000 });
  assert.equal(run.status, 0, run.stderr);

  const json = await runNodiag(['trace', '--json', join(out, 'shop.nd')]);
  assert.equal(json.status, 0, json.stderr);
  const { requests } = JSON.parse(json.stdout);
  const of = (name) => requests.filter((request) => request.name === name);
  const isBlockedBy = (file) => (request) => request.stall?.function?.file.endsWith(file);

  // Who only wanted a product waited for others' catalogue, and for the warehouse.
  const products = of('GET /products/:id');
  assert.ok(products.some(isBlockedBy('/shop/catalogue.js')), run.stdout);
  assert.ok(products.every(({ spans }) => spans.length === 1 && /^\/stock\//.test(spans[0].path)));
  assert.ok(products.some(({ outside_ns: outside }) => outside > 0));
  const recommendations = of('GET /customers/:id/recommendations');
  assert.ok(recommendations.some(({ gc_ns: gc }) => gc > 0), run.stdout);

  // The collector has one trace of both services.
  const spans = [...run.stdout.matchAll(/^(\w+) +(\w+) +([0-9a-f]{16}) +parent (\w+) +(.*)$/gm)];
  const [server, client, stock] = ['shop server', 'shop client', 'warehouse server'].map((who) =>
    spans.find(([, service, kind]) => `${service} ${kind}` === who),
  );
  assert.ok(server && client && stock, run.stdout);
  assert.deepEqual([client[4], stock[4]], [server[3], client[3]]);
  assert.deepEqual([server[5], stock[5]], ['GET /products/:id', 'GET /stock/:id']);
});
