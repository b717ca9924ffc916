// SPDX-License-Identifier: Apache-2.0

// The answer of `nodiag flame -f json` (docs/format-json.md), and questions to it.
//
// Functions are asked for by a match: a name, or a function of a frame ({ name, file, line,
// column, kind }). A share is a part of all weight, from 0 to 1.

import assert from 'node:assert/strict';

export function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}

function toMatch(match) {
  return typeof match === 'function' ? match : (frame) => frame.name === match;
}

function isInFile(frame, file) {
  return frame.file === file || frame.file.endsWith(`/${file}`);
}

/** Stacks and the weight of each: of a whole profile, or of a part of one. */
class Stacks {
  /** @param {{calls: object[], node: object, weight: number}[]} stacks root first */
  constructor(stacks) {
    this.stacks = stacks;
    this.total = sum(stacks);
  }

  /** Part of the weight with such a function anywhere in the stack. */
  share(match) {
    const matches = toMatch(match);
    return sum(this.stacks.filter(({ calls }) => calls.some(matches))) / this.total;
  }

  #endingIn(match) {
    const matches = toMatch(match);
    return this.stacks.filter(({ calls }) => calls.length > 0 && matches(calls.at(-1)));
  }

  /** Part of the weight with such a function innermost. */
  selfShare(match) {
    return sum(this.#endingIn(match)) / this.total;
  }

  /** The part that a function of a stack is true for. */
  only(choose) {
    return new Stacks(this.stacks.filter(choose));
  }

  /** A match for a function of a program: file, and name or match. */
  own(file, match) {
    const matches = toMatch(match);
    return (frame) => isInFile(frame, file) && matches(frame);
  }

  /** The functions of a program with their shares, largest first: [{ frame, share }]. */
  functionsOf(file) {
    const frames = new Set(this.stacks.flatMap(({ calls }) => calls));
    return [...frames]
      .filter((frame) => isInFile(frame, file))
      .map((frame) => ({ frame, share: this.share((other) => other === frame) }))
      .sort((a, b) => b.share - a.share);
  }

  /** What --threads kept apart. */
  threads() {
    const roots = new Set(this.stacks.map(({ calls }) => calls[0]));
    return [...roots]
      .filter((root) => root?.kind === 'thread')
      .map((root) => this.only(({ calls }) => calls[0] === root));
  }

  /** Executing lines of a function where it is innermost, as parts of that: Map(line, share). */
  linesOf(match) {
    const stacks = this.#endingIn(match);
    const lines = new Map();
    for (const { line, self } of stacks.flatMap(({ node }) => node.lines ?? [])) {
      lines.set(line, (lines.get(line) ?? 0) + self / sum(stacks));
    }
    return lines;
  }

  /** The functions with most self weight, for the message of a failed test. */
  table() {
    const frames = new Map();
    for (const { calls, weight } of this.stacks) {
      const frame = calls.at(-1) ?? { name: 'all', file: '', kind: 'root' };
      frames.set(frame, (frames.get(frame) ?? 0) + weight);
    }
    return [...frames]
      .sort((a, b) => b[1] - a[1])
      .slice(0, 25)
      .map(([frame, self]) => [
        percent(self / this.total).padStart(7),
        percent(this.share((other) => other === frame)).padStart(7),
        `${frame.name} [${frame.kind}] ${frame.file}:${frame.line}:${frame.column}`,
      ])
      .map((columns) => columns.join('  '))
      .join('\n');
  }
}

export class Profile extends Stacks {
  constructor(json) {
    const { frames, nodes } = json;
    const paths = [[]];
    for (const node of nodes.slice(1)) {
      paths.push([...paths[node.parent], frames[node.frame]]);
    }
    const stacks = nodes.map((node, i) => ({ calls: paths[i], node, weight: node.self }));
    super(stacks.filter(({ weight }) => weight > 0));
    this.json = json;
    this.info = json.info;
    this.frames = frames;
    this.samples = nodes.reduce((all, { samples }) => all + samples, 0);
    this.startMs = json.info.start_unix_ns / 1e6;
    this.endMs = this.startMs + json.info.duration_ns / 1e6;
  }

  /** How often something was lost, by its key. */
  loss(key) {
    return this.json.losses.find((loss) => loss.key === key)?.count ?? 0;
  }

  /** A function's total weight by the tier in which it ran: { TIER: share }. */
  tierShares(match) {
    const matches = toMatch(match);
    const { tiers, total } = this.json.functions.find(({ frame }) => matches(this.frames[frame]));
    return Object.fromEntries(Object.entries(tiers).map(([tier, part]) => [tier, part / total]));
  }

  /** What holds for every profile: sums are right, and hardly anything was lost. */
  assertSound() {
    const { nodes, functions, info } = this.json;
    assert.equal(info.unit, 'nanoseconds');
    assert.ok(this.total > 0, 'no samples');
    assert.equal(nodes[0].total, this.total, 'the stacks do not add up to the whole');
    const children = nodes.map((node) => node.self);
    for (const [i, node] of [...nodes.entries()].reverse()) {
      assert.equal(children[i], node.total, `node ${i} is not its children and itself`);
      if (i > 0) children[node.parent] += node.total;
    }
    const inFunctions = functions.reduce((all, { self }) => all + self, 0);
    assert.equal(inFunctions + nodes[0].self, this.total, 'functions do not add up to the whole');
    assert.ok(nodes[0].self <= 0.01 * this.total, 'samples without a stack');
    const unnamed = this.share((frame) => frame.name === '[unknown JS]');
    // On a machine that is busy with other things there are few samples, and two of them are a lot.
    const why = JSON.stringify(this.json.losses);
    assert.ok(
      unnamed <= 0.02 + 2 / this.samples,
      `${percent(unnamed)} unknown JS, losses ${why}\n${this.table()}`,
    );
    assert.equal(this.loss('ring_full'), 0);
    assert.equal(this.loss('thread_limit'), 0);
  }
}

function sum(stacks) {
  return stacks.reduce((total, { weight }) => total + weight, 0);
}
