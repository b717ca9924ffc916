// SPDX-License-Identifier: Apache-2.0
'use strict';

// A server that does per request what servers do: await a store, sort, fill a template, send JSON.

const { setTimeout: sleep } = require('node:timers/promises');
const fastify = require('fastify');

const { serve, cpuUs } = require('./control.cjs');

const store = Array.from({ length: 60 }, (_, id) => ({
  id,
  name: `item <${id}> & company`,
  price: id * 1.37,
  tags: [`a${id}`, `b${id % 7}`, 'c'],
}));

const entities = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

function escape(text) {
  return String(text).replace(/[&<>"]/g, (character) => entities[character]);
}

function renderRow({ id, name, price, tags }) {
  const cells = [id, name, price.toFixed(2), tags.join(', ')];
  return `<tr><td>${cells.map(escape).join('</td><td>')}</td></tr>`;
}

function sortItems(items) {
  return items
    .map((item) => ({ ...item, rank: ((item.name.length * 31) % 17) + (item.price % 3) }))
    .sort((a, b) => a.rank - b.rank || b.id - a.id);
}

async function query(id) {
  await new Promise(setImmediate);
  return structuredClone(store[id % store.length]);
}

async function loadItems(from) {
  const first = await query(from);
  return [first, ...(await Promise.all([query(from + 1), query(from + 2)])), ...store];
}

let requests = 0;

async function getPage() {
  const items = sortItems(await loadItems(requests++));
  return { total: items.length, html: items.map(renderRow).join('\n') };
}

const app = fastify();
app.get('/', getPage);
app.listen({ port: 0, host: '127.0.0.1' }).then(() => {
  const commands = {
    work: (seconds) => sleep(1000 * seconds, {}),
    usage: () => ({ cpuUs: cpuUs(), units: requests }),
  };
  serve(commands, { port: app.server.address().port });
});
