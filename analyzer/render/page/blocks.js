/* SPDX-License-Identifier: Apache-2.0 */
"use strict";

/*
 * The tree of blocks that the map shows: what is in the data, by parent and by child.
 */

const OTHERS = "others"; /* what is in a block and has none of its own */
const ITSELF = "itself"; /* a block's own bytes, beside those of its children */

/* V8's kinds by colour. */
const TONES = {
  object: ["object", "regexp", "wasm object"],
  closure: ["closure"],
  array: ["array"],
  string: ["string", "concatenated string", "sliced string", "symbol"],
  native: ["native"],
  code: ["code", "hidden", "object shape", "synthetic"],
};

class Blocks {
  constructor(map) {
    this.map = map;
    this.size = map.bytes.length;
    this.lists = Array.from({ length: this.size }, () => []);
    for (let at = 1; at < this.size; at++)
      this.lists[map.parent[at]].push(at);
    for (const list of this.lists)
      list.sort((a, b) => map.bytes[b] - map.bytes[a] || a - b);
    this.byId = new Map();
    for (let at = 0; at < this.size; at++)
      if (map.count[at] === 1)
        this.byId.set(map.id[at], at);
    this.toneOf = map.kinds.map((kind) =>
      Object.keys(TONES).find((tone) => TONES[tone].includes(kind)) ?? "other");
  }

  bytes(at) {
    return this.map.bytes[at];
  }

  total() {
    return this.size > 0 ? this.map.bytes[0] : 0;
  }

  tone(at) {
    return this.toneOf[this.map.kind[at]];
  }

  parent(at) {
    return at > 0 ? this.map.parent[at] : -1;
  }

  /* The largest first. */
  children(at) {
    return this.lists[at];
  }

  /* What is inside of it: blocks, and as the last ones what has none. */
  parts(at) {
    const parts = this.lists[at].map((child) => ({ at: child, bytes: this.map.bytes[child] }));
    const inside = parts.reduce((sum, part) => sum + part.bytes, 0);
    const self = this.map.self[at];
    const others = this.map.bytes[at] - self - inside;
    if (self > 0)
      parts.push({ at, what: ITSELF, bytes: self });
    if (others > 0)
      parts.push({ at, what: OTHERS, bytes: others });
    return parts.sort((a, b) => b.bytes - a.bytes);
  }

  hasInside(at) {
    return this.lists[at].length > 0;
  }

  name(at) {
    return printable(this.map.strings[this.map.name[at]]) || "(no name)";
  }

  by(at) {
    return printable(this.map.strings[this.map.by[at]]);
  }

  /* "bus (context): EventEmitter", "2,000 × function onRequest (lib/server.js:12)" */
  label(at) {
    const { count } = this.map;
    const by = this.by(at);
    if (count[at] > 1)
      return `${formatCount(count[at])} × ${this.name(at)}`;
    return by ? `${by}: ${this.name(at)}` : this.name(at);
  }

  labelOfPart({ at, what }) {
    if (what === ITSELF)
      return `${this.name(at)} ${this.map.count[at] > 1 ? "themselves" : "itself"}`;
    if (what !== OTHERS)
      return this.label(at);
    const small = this.map.small[at];
    return small > 0 ? formatNumber(small, "small one") : "not looked into";
  }

  /* From the root to it. */
  path(at) {
    const path = [];
    for (let up = at; up >= 0; up = this.parent(up))
      path.unshift(up);
    return path;
  }

  /* The block and those below it for as long as one child is nearly all of it. */
  chain(at) {
    const chain = [at];
    for (;;) {
      const last = chain.at(-1);
      const [child] = this.lists[last];
      if (child === undefined || this.map.bytes[child] < this.map.bytes[last] * 0.97)
        return chain;
      chain.push(child);
    }
  }
}
