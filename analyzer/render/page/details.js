/* SPDX-License-Identifier: Apache-2.0 */
"use strict";

/*
 * What is known about a frame, as the tooltip and the panel at the bottom show it.
 */

/* What the texts below are made from. A merged tree knows lines for its root only. */
function factsOfNode(profile, tree, node) {
  const frame = tree.frame[node];
  const own = tree === profile.tree;
  return {
    frame,
    name: profile.nameOf(frame),
    location: profile.locationOf(frame),
    kind: frame < 0 ? -1 : profile.kind[frame],
    self: tree.self[node],
    total: tree.total[node],
    count: tree.count[node],
    tiers: tree.tiers(node),
    inlined: tree.inlined.get(node) ?? 0,
    lines: (own ? profile.nodeLines.get(node) : node === 0 && profile.frameLines.get(frame)) || null,
  };
}

class FrameText {
  constructor(profile) {
    this.profile = profile;
    this.dark = false;
  }

  weight(value) {
    return formatWeight(value, this.profile.unit);
  }

  swatch(swatch) {
    const made = element("span", { className: "swatch" });
    made.style.background = cssColour(this.dark ? swatch.dark : swatch.light);
    return made;
  }

  kind(facts) {
    if (facts.kind < 0)
      return null;
    const kind = this.profile.kinds[facts.kind];
    return element("span", { className: "chip" }, this.swatch(kind), kind.label);
  }

  inlined(facts) {
    if (!(facts.inlined > 0))
      return null;
    return element("span", { className: "chip" },
      `inlined ${formatPercent(facts.inlined, facts.total)}`);
  }

  /* The part of its time in each tier, as a bar and in words; null for what V8 does not tier. */
  tiers(facts) {
    const { tiers } = this.profile;
    if (facts.kind < 0 || !facts.tiers.some((weight, tier) => tier > 0 && weight > 0))
      return null;
    const bar = element("div", { className: "tier-bar" });
    const words = element("div", { className: "tier-words" });
    facts.tiers.forEach((weight, tier) => {
      if (!(weight > 0))
        return;
      const part = element("span", {});
      part.style.flexGrow = weight / facts.total;
      part.style.background = cssColour(this.dark ? tiers[tier].dark : tiers[tier].light);
      bar.append(part);
      words.append(element("span", { className: "chip" }, this.swatch(tiers[tier]),
        `${tiers[tier].label} ${formatPercent(weight, facts.total)}`));
    });
    return element("div", { className: "tiers" }, bar, words);
  }

  /* The lines that were executing, hottest first, with their part of self. */
  lines(facts, most) {
    const lines = [...facts.lines ?? []].sort((a, b) => b[1] - a[1]).slice(0, most);
    if (lines.length === 0)
      return null;
    return element("div", { className: "lines" },
      element("span", { className: "muted" }, lines.length > 1 ? "hot lines" : "hot line"),
      ...lines.map(([line, weight]) => element("span", { className: "line" },
        element("b", {}, String(line)), ` ${formatPercent(weight, facts.self)}`)));
  }

  /* Self and total with their shares; `rows` are [label, weight], `viewTotal` of what is zoomed. */
  numbers(rows, viewTotal, viewLabel) {
    const all = this.profile.total;
    const zoomed = viewTotal < all;
    const head = ["", "", "of all", zoomed ? viewLabel : null];
    const cells = (tag, texts) => texts.filter((text) => text !== null)
      .map((text) => element(tag, {}, text));
    return element("table", { className: "numbers" },
      element("thead", {}, element("tr", {}, ...cells("th", head))),
      element("tbody", {}, ...rows.map(([label, value]) => element("tr", {},
        ...cells("th", [label]),
        ...cells("td", [this.weight(value), formatPercent(value, all),
          zoomed ? formatPercent(Math.min(value, viewTotal), viewTotal) : null])))));
  }

  /* A caller's weight is what it spends in the function it calls. */
  numbersOf(facts, role, viewTotal) {
    const rows = role === "callers" ? [["via this caller", facts.total]]
      : [["self", facts.self], ["total", facts.total]];
    return this.numbers(rows, viewTotal, role === "flame" ? "of view" : "of function");
  }

  heading(facts, role) {
    const samples = role !== "callers" && facts.count > 0
      ? element("span", { className: "chip" }, formatNumber(facts.count, "sample")) : null;
    return [
      element("div", { className: "name" }, facts.name.slice(0, 2000)),
      element("div", { className: "place" }, facts.location),
      element("div", { className: "chips" }, this.kind(facts), this.inlined(facts), samples),
    ];
  }

  /* Tiers and lines; a caller's are about all that it did. */
  howItRan(facts, role, most) {
    return role === "callers" ? [] : [this.tiers(facts), this.lines(facts, most)];
  }

  /* Plain text for the clipboard. */
  plain(facts, role) {
    const all = this.profile.total;
    const amount = (value) => `${this.weight(value)} (${formatPercent(value, all)})`;
    const numbers = role === "callers" ? [`via this caller ${amount(facts.total)}`]
      : [`self ${amount(facts.self)}`, `total ${amount(facts.total)}`];
    return [facts.name, facts.location, ...numbers].filter((text) => text).join("\n");
  }
}

/* The box beside the pointer. */
class Tooltip {
  constructor(box, text) {
    this.box = box;
    this.text = text;
  }

  hide() {
    this.box.hidden = true;
    this.key = null;
  }

  show(key, facts, role, viewTotal, event) {
    const { text } = this;
    if (this.key !== key)
      fill(this.box,
        ...text.heading(facts, role),
        text.numbersOf(facts, role, viewTotal),
        ...text.howItRan(facts, role, 4));
    this.key = key;
    this.box.hidden = false;
    placeBeside(this.box, event.clientX, event.clientY);
  }
}

/* The panel about the selected frame. */
class Panel {
  /* `actions` are [label, title, run] of the buttons, with [3] saying when, if not always. */
  constructor(box, text, actions) {
    this.box = box;
    this.text = text;
    this.actions = actions;
    this.clear();
  }

  clear() {
    this.facts = null;
    fill(this.box, element("p", { className: "muted" },
      "Click a frame to zoom into it, or press ", element("kbd", {}, "?"), " for all keys."));
  }

  show(facts, role, viewTotal) {
    const { text } = this;
    this.facts = facts;
    this.role = role;
    fill(this.box,
      element("div", { className: "what" }, ...text.heading(facts, role)),
      text.numbersOf(facts, role, viewTotal),
      element("div", { className: "how" }, ...text.howItRan(facts, role, 4)),
      element("div", { className: "actions" },
        ...this.actions.filter(([,,, when]) => facts.frame >= 0 && (!when || when()))
          .map(([label, title, run]) => button(label, title, run))));
  }
}
