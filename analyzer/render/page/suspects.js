/* SPDX-License-Identifier: Apache-2.0 */
"use strict";

/*
 * The answer: where memory gathers, in words, with the way there.
 */

class Suspects {
  /* `on` has show(id), or null where the map does not have it, and copy(text). */
  constructor(data, on) {
    this.data = data;
    this.on = on;
    this.isDiff = data.kind === "diff";
    this.whole = this.isDiff ? "of what is new" : "of the heap";
  }

  title() {
    const { suspects } = this.data;
    if (!this.isDiff)
      return suspects.length > 0 ? "Where memory gathers" : "No place where memory gathers";
    if (suspects.length === 0)
      return "No leak suspect";
    return suspects.length === 1 ? "One leak suspect" : `${suspects.length} leak suspects`;
  }

  about() {
    const { suspects } = this.data;
    if (this.isDiff && suspects.length === 0)
      return "No place got 5 % of what is new, and 256 KiB"
        + (this.data.files.length > 2 ? ", each time." : ".");
    if (this.isDiff)
      return "Everything new is charged to what was there before and holds it.";
    return suspects.length > 0
      ? "Objects that hold a tenth of the heap or more. That may be what the program is there for:"
        + " compare two snapshots to see what grows."
      : "No object holds a tenth of the heap and 2 MiB, by itself or with its neighbours.";
  }

  /* "2,000 × Function, 6.55 MiB, 95.3 % of what is new, and 3 others" */
  amount(suspect) {
    const share = formatPercent(suspect.bytes, this.data.suspectsOf);
    const others = suspect.others > 0 ? `, and ${formatNumber(suspect.others, "other")}` : "";
    return [`${formatCount(suspect.count)} × ${printable(suspect.class)}`,
      formatWeight(suspect.bytes, "bytes"), `${share} ${this.whole}${others}`];
  }

  plain(suspect) {
    return [`${printable(suspect.way)}: ${this.amount(suspect).join(", ")}`,
      `such as ${printable(suspect.example)} in ${printable(suspect.holder)}`].join("\n");
  }

  steps(suspect) {
    if (suspect.steps.length === 0)
      return null;
    return element("p", { className: "steps" }, "step by step ",
      suspect.steps.map((bytes) => formatGrowth(bytes)).join(", "));
  }

  way(suspect) {
    const { path } = suspect;
    return element("details", {},
      element("summary", {}, `The way from the root, ${formatNumber(path.length - 1, "step")}`),
      element("ol", { className: "way" }, ...path.map(([edge, object, retained]) =>
        element("li", {},
          element("span", { className: "by" }, printable(edge)),
          element("span", { className: "what" }, printable(object)),
          element("span", { className: "size" }, `retains ${formatWeight(retained, "bytes")}`)))));
  }

  card(suspect) {
    const [what, size, share] = this.amount(suspect);
    const show = this.on.show(suspect.id);
    const card = element("li", { className: "suspect" },
      element("h3", {}, printable(suspect.way)),
      element("p", { className: "amount" }, element("b", {}, what), " ",
        element("b", {}, size), " ", element("span", {}, share)),
      element("p", { className: "such muted" }, "such as ",
        element("code", {}, printable(suspect.example)), " in ",
        element("code", {}, printable(suspect.holder))),
      this.steps(suspect),
      element("div", { className: "actions" },
        show ? button("Show in the map", "Zoom the map to the object that holds them", show) : null,
        button("Copy", "Copy this in words", () => this.on.copy(this.plain(suspect)))),
      this.way(suspect));
    card.style.setProperty("--share", suspect.bytes / this.data.suspectsOf);
    return card;
  }

  show() {
    byId("suspects-title").textContent = this.title();
    byId("suspects-about").textContent = this.about();
    fill(byId("suspect-list"), ...this.data.suspects.map((suspect) => this.card(suspect)));
  }
}
