/* SPDX-License-Identifier: Apache-2.0 */
"use strict";

/*
 * The profile: what nodiag put into the page as columns (page_data.h), as trees, sums and matches.
 *
 * A tree is a set of columns indexed by node. Nodes are in depth-first order, so that the subtree
 * of a node is the range [node, end[node]); node 0 is the root.
 */

class Tree {
  constructor(size, tiers) {
    this.size = size;
    this.tierCount = tiers;
    this.frame = new Int32Array(size).fill(-1);
    this.parent = new Int32Array(size).fill(-1);
    this.depth = new Uint16Array(size);
    this.end = new Uint32Array(size);
    this.self = new Float64Array(size);
    this.total = new Float64Array(size);
    this.count = new Float64Array(size); /* samples whose innermost call is the node */
    this.tier = new Uint8Array(size); /* the one that ran longest */
    this.mixed = new Map(); /* node -> weight per tier, where there are several */
    this.inlined = new Map(); /* node -> weight */
    this.height = 0; /* rows */
  }

  /* Fill in what follows from the depths: parents, ends of subtrees, height. */
  link() {
    const path = [];
    for (let node = 0; node < this.size; node++) {
      const depth = this.depth[node];
      while (path.length > depth)
        this.end[path.pop()] = node;
      if (depth > 0)
        this.parent[node] = path[depth - 1];
      path.push(node);
      this.height = Math.max(this.height, depth + 1);
    }
    for (const node of path)
      this.end[node] = this.size;
  }

  /* Totals from selves. */
  sum() {
    this.total.set(this.self);
    for (let node = this.size - 1; node > 0; node--)
      this.total[this.parent[node]] += this.total[node];
  }

  setTiers(node, split) {
    let used = 0;
    let longest = 0;
    for (let tier = 0; tier < split.length; tier++) {
      used += split[tier] > 0;
      if (split[tier] > split[longest])
        longest = tier;
    }
    this.tier[node] = longest;
    if (used > 1)
      this.mixed.set(node, split);
  }

  /* `total` of a node by tier. */
  tiers(node) {
    const mixed = this.mixed.get(node);
    if (mixed)
      return mixed;
    const split = new Array(this.tierCount).fill(0);
    split[this.tier[node]] = this.total[node];
    return split;
  }

  *children(node) {
    for (let child = node + 1; child < this.end[node]; child = this.end[child])
      yield child;
  }

  /* From the root's child down to the node. */
  path(node) {
    const path = [];
    for (let at = node; at > 0; at = this.parent[at])
      path.push(at);
    return path.reverse();
  }
}

/* Children of every node in an order of one's own, as a depth-first list of all nodes. */
function sortedOrder(tree, compare) {
  const order = new Uint32Array(tree.size);
  const stack = [0];
  for (let done = 0; stack.length > 0; done++) {
    const node = stack.pop();
    order[done] = node;
    const children = [...tree.children(node)];
    children.sort((a, b) => compare(b, a));
    for (const child of children)
      stack.push(child);
  }
  return order;
}

/*
 * Where every node is: `x` is its left edge in weight; `rows` lists the nodes by depth, then from
 * left to right, those of depth d being [rowStart[d], rowStart[d + 1]); `place` is the inverse.
 * `order` is a depth-first list of nodes, or null for the tree's own.
 */
function layOut(tree, order) {
  const size = tree.size;
  const x = new Float64Array(size);
  const next = new Float64Array(size); /* the left edge of the next child */
  const rowStart = new Uint32Array(tree.height + 1);
  const rows = new Uint32Array(size);
  const place = new Uint32Array(size);
  for (let node = 0; node < size; node++)
    rowStart[tree.depth[node] + 1]++;
  for (let depth = 0; depth < tree.height; depth++)
    rowStart[depth + 1] += rowStart[depth];
  const free = rowStart.slice();
  for (let i = 0; i < size; i++) {
    const node = order ? order[i] : i;
    const parent = tree.parent[node];
    if (parent >= 0) {
      x[node] = next[parent];
      next[parent] += tree.total[node];
    }
    next[node] = x[node];
    place[node] = free[tree.depth[node]]++;
    rows[place[node]] = node;
  }
  return { x, rows, rowStart, place };
}

/* "/pattern/flags" is a regular expression, all else a part of the name in any case. Throws. */
function compileQuery(query) {
  const regex = /^\/(.+)\/([imsu]*)$/.exec(query);
  if (regex) {
    const pattern = new RegExp(regex[1], regex[2]);
    return (text) => pattern.test(text);
  }
  const wanted = query.toLowerCase();
  return (text) => text.toLowerCase().includes(wanted);
}

class Profile {
  constructor(data) {
    const words = data.words;
    this.info = words.info;
    this.unit = words.info.unit;
    this.losses = words.losses;
    this.kinds = words.kinds;
    this.tiers = words.tiers;
    this.scale = data.scale;
    this.readFrames(data, words.strings.map(printable));
    this.readTree(data);
    this.readLines(data);
  }

  readFrames(data, strings) {
    const kindOf = (frame) => this.kinds[data.frameKind[frame]].name;
    this.name = data.frameName.map((id) => strings[id] || "(no name)");
    this.file = data.frameFile.map((id) => strings[id]);
    this.line = data.frameLine;
    this.column = data.frameColumn;
    this.kind = data.frameKind;
    const own = this.file.filter((file, frame) => file.includes("/") && kindOf(frame) === "js");
    const root = commonFolder(new Set(own.map(plainPath)));
    this.shortFile = this.file.map((file, frame) => shortPath(file, kindOf(frame), root));
  }

  readTree(data) {
    const tree = new Tree(data.depth.length, this.tiers.length);
    tree.frame.set(data.frame);
    tree.frame[0] = -1;
    tree.depth.set(data.depth);
    tree.self.set(data.self);
    tree.count.set(data.count);
    tree.link();
    for (let node = 0; node < tree.size; node++)
      tree.self[node] *= this.scale;
    tree.sum();
    tree.tier.set(data.tier);
    const step = this.tiers.length + 1;
    for (let i = 0; i < data.mixed.length; i += step)
      tree.setTiers(data.mixed[i],
        data.mixed.slice(i + 1, i + step).map((weight) => weight * this.scale));
    for (let i = 0; i < data.inlined.length; i += 2)
      tree.inlined.set(data.inlined[i], data.inlined[i + 1] * this.scale);
    this.tree = tree;
    this.total = tree.total[0];
    this.samples = data.count.reduce((sum, count) => sum + count, 0);
  }

  readLines(data) {
    this.nodeLines = new Map();
    this.frameLines = new Map();
    const add = (map, key, line, weight) => {
      if (!map.has(key))
        map.set(key, new Map());
      map.get(key).set(line, (map.get(key).get(line) ?? 0) + weight);
    };
    for (let i = 0; i < data.lines.length; i += 3) {
      const [node, line, weight] = data.lines.slice(i, i + 3);
      add(this.nodeLines, node, line, weight * this.scale);
      add(this.frameLines, this.tree.frame[node], line, weight * this.scale);
    }
  }

  /* The name of a node's function; frame -1 is the root's. */
  nameOf(frame) {
    return frame < 0 ? "all" : this.name[frame];
  }

  position(frame, file) {
    if (frame < 0 || !file)
      return "";
    const line = this.line[frame] ? `:${this.line[frame]}` : "";
    return file + line + (line && this.column[frame] ? `:${this.column[frame]}` : "");
  }

  /* file:line:column in full, shortened, and as file name and line only. */
  locationOf(frame) {
    return this.position(frame, plainPath(this.file[frame] ?? ""));
  }

  shortLocationOf(frame) {
    return this.position(frame, this.shortFile[frame] ?? "");
  }

  labelLocationOf(frame) {
    if (frame < 0 || !this.line[frame])
      return "";
    const file = this.shortFile[frame];
    return `${file.slice(file.lastIndexOf("/") + 1)}:${this.line[frame]}`;
  }

  /* Which frames a query matches, as 0 and 1 per frame; null without a query. Throws. */
  match(query) {
    if (!query)
      return null;
    const test = compileQuery(query);
    return Uint8Array.from(this.name, (name, frame) => {
      const location = this.locationOf(frame);
      return test(name) || test(location) || test(`${name} ${location}`) ? 1 : 0;
    });
  }

  /*
   * The outermost matched nodes below `from`, or `from` itself when it lies inside a match, so that
   * matches inside matches count once.
   */
  matchedNodes(matched, from) {
    const { frame, end, parent } = this.tree;
    for (let node = from; node > 0; node = parent[node])
      if (matched[frame[node]])
        return [from];
    const found = [];
    for (let node = from; node < end[from];) {
      if (frame[node] >= 0 && matched[frame[node]]) {
        found.push(node);
        node = end[node];
      } else {
        node++;
      }
    }
    return found;
  }

  weightOf(nodes) {
    return nodes.reduce((sum, node) => sum + this.tree.total[node], 0);
  }

  /* Calls visit(node, outermost) in depth-first order: false inside a call of the same frame. */
  eachNode(visit) {
    const { frame, end, size } = this.tree;
    const open = []; /* the nodes that the current one is in */
    const depth = new Uint16Array(this.name.length); /* how often each frame is among them */
    for (let node = 1; node < size; node++) {
      while (open.length > 0 && end[open.at(-1)] <= node)
        depth[frame[open.pop()]]--;
      visit(node, depth[frame[node]]++ === 0);
      open.push(node);
    }
  }

  /* Per function: self, total (recursion counted once), samples and where it is outermost. */
  functions() {
    if (this.functionList)
      return this.functionList;
    const { frame, self, total, count } = this.tree;
    const found = new Map();
    this.eachNode((node, outermost) => {
      const id = frame[node];
      if (!found.has(id))
        found.set(id, { frame: id, self: 0, total: 0, count: 0, nodes: [] });
      const entry = found.get(id);
      entry.self += self[node];
      entry.count += count[node];
      if (outermost) {
        entry.total += total[node];
        entry.nodes.push(node);
      }
    });
    this.functionByFrame = found;
    this.functionList = [...found.values()];
    return this.functionList;
  }

  functionOf(frame) {
    this.functions();
    return this.functionByFrame.get(frame);
  }

  /* Self weight per kind; null for kinds that do not occur. */
  kindShares() {
    const shares = this.kinds.map(() => null);
    for (const entry of this.functions())
      shares[this.kind[entry.frame]] = (shares[this.kind[entry.frame]] ?? 0) + entry.self;
    return shares;
  }

  /* The same per tier. A node's self is split as its total is: samples do not say more. */
  tierShares() {
    const { self, total, size } = this.tree;
    const shares = this.tiers.map(() => null);
    for (let node = 1; node < size; node++) {
      const split = this.tree.tiers(node);
      for (let tier = 0; tier < split.length; tier++)
        if (split[tier] > 0)
          shares[tier] = (shares[tier] ?? 0) + self[node] * split[tier] / total[node];
    }
    return shares;
  }

  /*
   * A tree made by merging: `root` is a group of the profile's nodes with a weight each, `next`
   * gives the groups below a group. Heaviest first.
   */
  merge(root, next) {
    const built = [];
    const stack = [{ group: root, depth: 0 }];
    while (stack.length > 0) {
      const { group, depth } = stack.pop();
      const below = next(group);
      built.push({ group, depth });
      below.sort((a, b) => a.total - b.total);
      for (const child of below)
        stack.push({ group: child, depth: depth + 1 });
    }
    return this.treeOf(built);
  }

  treeOf(built) {
    const source = this.tree;
    const tree = new Tree(built.length, source.tierCount);
    built.forEach(({ group, depth }, node) => {
      const split = new Array(source.tierCount).fill(0);
      let inlined = 0;
      tree.depth[node] = depth;
      tree.frame[node] = group.frame;
      tree.total[node] = group.total;
      group.nodes.forEach((from, i) => {
        const part = source.total[from] > 0 ? group.weights[i] / source.total[from] : 0;
        source.tiers(from).forEach((weight, tier) => split[tier] += weight * part);
        inlined += (source.inlined.get(from) ?? 0) * part;
        tree.self[node] += source.self[from] * part;
        tree.count[node] += source.count[from] * part;
      });
      tree.setTiers(node, split);
      if (inlined > 0)
        tree.inlined.set(node, inlined);
    });
    tree.link();
    return tree;
  }

  rootGroup(frame) {
    const nodes = this.functionOf(frame)?.nodes ?? [];
    return grouped(nodes.map((node) => [node, this.tree.total[node]]), () => frame)[0];
  }

  /* What a function calls: the subtrees below its outermost calls, merged. */
  callees(frame) {
    const { total } = this.tree;
    return this.merge(this.rootGroup(frame), (group) => {
      const below = [];
      for (const node of group.nodes)
        for (const child of this.tree.children(node))
          below.push([child, total[child]]);
      return grouped(below, (node) => this.tree.frame[node]);
    });
  }

  /* Who calls it: the paths above its outermost calls, from it towards the root, merged. */
  callers(frame) {
    const { parent } = this.tree;
    return this.merge(this.rootGroup(frame), (group) => {
      const above = [];
      group.nodes.forEach((node, i) => {
        if (parent[node] > 0)
          above.push([parent[node], group.weights[i]]);
      });
      return grouped(above, (node) => this.tree.frame[node]);
    });
  }
}

/* Pairs of node and weight as one group for each frame: {frame, nodes, weights, total}. */
function grouped(pairs, frameOf) {
  const groups = new Map();
  for (const [node, weight] of pairs) {
    const frame = frameOf(node);
    if (!groups.has(frame))
      groups.set(frame, { frame, nodes: [], weights: [], total: 0 });
    const group = groups.get(frame);
    group.nodes.push(node);
    group.weights.push(weight);
    group.total += weight;
  }
  return [...groups.values()];
}
