// SPDX-License-Identifier: Apache-2.0

// node big_heap.mjs FILE USERS: a heap snapshot of any size, as Node.js 24 writes them, without a
// process that has such a heap: V8 would need some seven times of it. 3 GB are 3,800,000 users. A
// file of more users has all that one of fewer has, with the same ids. One buffer has 5 GiB.

import { closeSync, openSync, writeSync } from 'node:fs';

const [file, count] = process.argv.slice(2);
const users = Number(count);

const nodeTypes = [
  ...['hidden', 'array', 'string', 'object', 'code', 'closure', 'regexp', 'number', 'native'],
  ...['synthetic', 'concatenated string', 'sliced string', 'symbol', 'bigint', 'object shape'],
];
const edgeTypes = ['context', 'element', 'property', 'internal', 'hidden', 'shortcut', 'weak'];
const type = Object.fromEntries(nodeTypes.map((name, i) => [name, i]));
const edgeType = Object.fromEntries(edgeTypes.map((name, i) => [name, i]));

const FIELDS = 6;
const strings = [
  ...['<dummy>', '', 'global', 'users', 'Map', 'table', 'User', 'Address', 'Position', 'Set'],
  ...['Array', 'Object', 'elements', 'name', 'address', 'position', 'street', 'tags', 'orders'],
  ...['settings', 'mail', 'map', 'system / Map', 'heap number', 'latitude', 'longitude', 'id'],
  ...['(GC roots)', 'buffer', 'system / JSArrayBufferData', 'mine', '__proto__'],
];
const string = Object.fromEntries(strings.map((text, i) => [text, i]));

/** The nodes before those of users: type, name, self size. Users are the elements of the table. */
const first = [
  ['synthetic', '', 0],
  ['object', 'global', 48],
  ['synthetic', '(GC roots)', 0],
  ['object', 'Map', 32],
  ['array', '', 16 + 24 * users],
  ['hidden', 'system / Map', 80],
  ['native', 'system / JSArrayBufferData', 5 * 2 ** 30],
];
const [, GLOBAL, ROOTS, MAP, TABLE, SHAPE, BUFFER] = first.keys();
const firstEdges = [
  [
    ['shortcut', 'global', GLOBAL],
    ['element', 1, ROOTS],
  ],
  [
    ['property', 'users', MAP],
    ['property', 'buffer', BUFFER],
  ],
  [['element', 0, SHAPE]],
  [['internal', 'table', TABLE]],
  undefined,
  [],
  [],
];

/** The nodes of a user, and their edges: type, name, and which of these nodes. */
const name = {};
const own = [
  ['object', 'User', 72],
  ['string', name, 24],
  ['object', 'Address', 40],
  ['string', name, 32],
  ['object', 'Position', 32],
  ['number', 'heap number', 16],
  ['number', 'heap number', 16],
  ['object', 'Set', 32],
  ['array', '', 64],
  ['object', 'Object', 48],
  ['object', 'Object', 32],
  ['object', 'Array', 32],
  ['array', '', 48],
  ['object', 'Object', 56],
];
const ownEdges = withShape([
  [
    ['property', 'name', 1],
    ['property', 'address', 2],
    ['property', 'tags', 7],
    ['property', 'settings', 9],
    ['property', 'orders', 11],
  ],
  [],
  [
    ['property', 'street', 3],
    ['property', 'position', 4],
  ],
  [],
  [
    ['property', 'latitude', 5],
    ['property', 'longitude', 6],
  ],
  [],
  [],
  [
    ['internal', 'table', 8],
  ],
  [
    ['element', 3, 1],
    ['element', 5, 3],
  ],
  [
    ['property', 'mail', 10],
  ],
  [['property', 'mine', 0]],
  [
    ['internal', 'elements', 12],
  ],
  [['element', 0, 13]],
  [
    ['property', 'id', 5],
    ['property', 'mine', 0],
    ['hidden', 1, 11],
  ],
]);

/** All have a map, and objects a prototype; they are alone in being of all users. */
function withShape(lists) {
  return lists.map((edges, i) => {
    const shape = [['internal', 'map', SHAPE - first.length]];
    if (own[i][0] === 'object') shape.push(['property', '__proto__', GLOBAL - first.length]);
    return [...edges, ...shape];
  });
}

const fd = openSync(file, 'w', 0o600);
let pending = [];
let bytes = 0;

function flush() {
  writeSync(fd, pending.join(''));
  pending = [];
  bytes = 0;
}

function write(text) {
  pending.push(text);
  bytes += text.length;
  if (bytes > 1 << 20) flush();
}

/** The two texts that only this user has; the others are those of `strings`. */
function texts(user) {
  return [strings.length + 2 * user, strings.length + 2 * user + 1];
}

function writeNodes() {
  first.forEach(([kind, text, size], node) => {
    const edges = node === TABLE ? users : firstEdges[node].length;
    write(`${node ? ',' : ''}${type[kind]},${string[text]},${2 * node + 1},${size},${edges},0`);
  });
  for (let user = 0; user < users; user++) {
    const unique = texts(user);
    let id = 2 * (first.length + user * own.length) + 1;
    let text = '';
    own.forEach(([kind, is, size], i) => {
      const named = is === name ? unique.shift() : string[is];
      text += `,${type[kind]},${named},${id},${size},${ownEdges[i].length},0`;
      id += 2;
    });
    write(text);
  }
}

function writeEdges() {
  let comma = '';
  const add = (kind, text, to) => {
    const named = typeof text === 'number' ? text : string[text];
    const edge = `${comma}${edgeType[kind]},${named},${to * FIELDS}`;
    comma = ',';
    return edge;
  };
  firstEdges.forEach((edges, node) => {
    if (node !== TABLE) return edges.forEach((edge) => write(add(...edge)));
    for (let user = 0; user < users; user++)
      write(add('element', user, first.length + user * own.length));
  });
  for (let user = 0; user < users; user++) {
    const start = first.length + user * own.length;
    let text = '';
    for (const edges of ownEdges)
      for (const [kind, named, to] of edges)
        text += add(kind, named, to < 0 ? first.length + to : start + to);
    write(text);
  }
}

const edgeCount = (lists) => lists.reduce((sum, edges) => sum + (edges?.length ?? users), 0);
const meta = {
  node_fields: ['type', 'name', 'id', 'self_size', 'edge_count', 'detachedness'],
  node_types: [nodeTypes, 'string', 'number', 'number', 'number', 'number'],
  edge_fields: ['type', 'name_or_index', 'to_node'],
  edge_types: [edgeTypes, 'string_or_number', 'node'],
  location_fields: ['object_index', 'script_id', 'line', 'column'],
};
const snapshot = {
  meta,
  node_count: first.length + users * own.length,
  edge_count: edgeCount(firstEdges) + users * edgeCount(ownEdges),
};

write(`{"snapshot":${JSON.stringify(snapshot)},\n"nodes":[`);
writeNodes();
write('],\n"edges":[');
writeEdges();
write(`],\n"locations":[],\n"strings":[${strings.map((text) => JSON.stringify(text)).join()}`);
for (let user = 0; user < users; user++) write(`,\n"user ${user}","street ${user}"`);
write(']}\n');
flush();
closeSync(fd);
