/* SPDX-License-Identifier: Apache-2.0 */
"use strict";

/*
 * The page about heaps: what is shown, and what keys and buttons do. The block that the map is
 * zoomed to is in the address after "#".
 */

const TONE_WORDS = {
  object: "objects",
  closure: "functions",
  array: "arrays",
  string: "strings",
  native: "native memory",
  code: "V8's own, code",
  other: "numbers, others",
};

/* The last part of a path, which tells snapshots apart. */
function fileName(path) {
  return path === "-" ? "standard input" : printable(path.slice(path.lastIndexOf("/") + 1));
}

class HeapPage {
  constructor(data) {
    this.data = data;
    this.isDiff = data.kind === "diff";
    this.file = data.files.at(-1).name;
    this.blocks = new Blocks(data.map);
    this.map = new Treemap(byId("blocks"), this.blocks, {
      hover: (box, event) => this.hover(box, event),
      select: (box) => this.showDetails(box),
      zoom: (at) => this.zoomTo(at),
    });
    const show = (id) =>
      this.blocks.byId.has(id) ? () => this.showInMap(this.blocks.byId.get(id)) : null;
    this.suspects = new Suspects(data, { show, copy: copyText });
    this.tables = data.tables.map((table) => new DataTable(table, show));
  }

  start() {
    new Theme(() => {}).start();
    this.showHeader();
    this.suspects.show();
    fill(byId("tables"), ...this.tables.map((table) => table.build()));
    this.showMapHead();
    this.showSections();
    this.listen();
    this.readAddress();
  }

  showHeader() {
    const { data, isDiff } = this;
    const names = data.files.map((file) => fileName(file.name));
    const title = isDiff ? `${names[0]} → ${names.at(-1)}` : names[0];
    byId("title").textContent = title;
    byId("title").title = data.files.map((file) => printable(file.name)).join("\n");
    document.title = `${title} · nodiag heap`;
    fill(byId("facts"), ...(isDiff ? this.factsOfDiff() : this.factsOfHeap())
      .map((fact) => element("span", {}, fact)));
    byId("losses").hidden = !data.mixed && !data.ways;
    fill(byId("losses"), element("span", {}, data.mixed
      ? "The same ids are of other objects in these snapshots, so what is new cannot be told."
      : "The snapshots do not share their ids: objects are the same where the same way leads to"
        + " them."));
  }

  factsOfHeap() {
    const { data } = this;
    const facts = [formatWeight(data.bytes, "bytes"), formatNumber(data.objects, "object")];
    if (data.native > 0)
      facts.push(`native memory beside ${formatWeight(data.native, "bytes")}`);
    for (const [kind, count, bytes] of [...data.kinds].sort((a, b) => b[2] - a[2]))
      if (count > 0 && bytes >= data.bytes / 100)
        facts.push(`${kind} ${formatWeight(bytes, "bytes")}`);
    return facts;
  }

  factsOfDiff() {
    const { data } = this;
    const sizes = data.files.map((file) => file.bytes);
    return [sizes.map((bytes) => formatWeight(bytes, "bytes")).join(" → "),
      `${formatGrowth(sizes.at(-1) - sizes[0])} from the first to the last`,
      `of the last, ${formatWeight(data.new, "bytes")} is new`];
  }

  showMapHead() {
    byId("map-title").textContent = this.isDiff ? "What is new, by who holds it"
      : "Who holds what";
    byId("map-about").textContent = this.isDiff
      ? "Each block is what is new in an object, or in a group of like ones, inside of the one"
        + " without which it would be free. Click to zoom in."
      : "Each block is what an object, or a group of like ones, retains, inside of the one"
        + " without which it would be free. Click to zoom in.";
    const used = new Set();
    for (let at = 0; at < this.blocks.size; at++)
      used.add(this.blocks.tone(at));
    fill(byId("legend"), ...Object.keys(TONE_WORDS).filter((tone) => used.has(tone))
      .map((tone) => element("span", { className: "chip" },
        element("span", { className: `swatch ${tone}` }), TONE_WORDS[tone])));
  }

  showSections() {
    const link = (id, text) => {
      const made = element("a", { href: `#${id}` }, text);
      made.onclick = (event) => {
        event.preventDefault();
        byId(id).scrollIntoView();
      };
      return made;
    };
    fill(byId("sections"),
      link("suspects", this.isDiff ? "Suspects" : "Gathered"), link("map", "Map"),
      ...this.data.tables.map((table) => link(table.id, table.title)));
  }

  /* The map. */
  hover(box, event) {
    const tooltip = byId("tooltip");
    tooltip.hidden = !box;
    if (!box)
      return;
    if (this.hovered !== box)
      fill(tooltip, ...this.describe(box));
    this.hovered = box;
    placeBeside(tooltip, event.clientX, event.clientY);
  }

  /* What is known of a box of the map, as elements. */
  describe(box) {
    const { blocks } = this;
    const { at, what, bytes } = box;
    const { self, count, small, kind, kinds, id } = blocks.map;
    const rows = [[what ? "size" : this.isDiff ? "new in it" : "retained", bytes]];
    if (!what)
      rows.push(["self", self[at]]);
    const zoomed = this.map.zoomed > 0 ? blocks.bytes(this.map.zoomed) : 0;
    const facts = what ? [`in ${blocks.label(at)}`]
      : [kinds[kind[at]], count[at] > 1 ? `largest @${id[at]}` : `@${id[at]}`,
        small[at] > 0 ? `${formatNumber(small[at], "small one")} not shown` : null];
    return [
      element("div", { className: "name" }, this.map.label({ ...box, chain: [at] })),
      element("div", { className: "muted" }, facts.filter((fact) => fact).join(" · ")),
      element("table", { className: "numbers" }, element("tbody", {},
        ...rows.map(([label, value]) => element("tr", {}, element("th", { scope: "row" }, label),
          element("td", {}, formatWeight(value, "bytes")),
          element("td", {}, formatPercent(value, blocks.total())),
          zoomed > 0 ? element("td", {}, `${formatPercent(value, zoomed)} of view`) : null)))),
    ];
  }

  showDetails(box) {
    const { id } = this.blocks.map;
    const command = `nodiag heap retainers ${quoted(this.file)} @${id[box.at]}`;
    this.chosen = box;
    fill(byId("details"),
      element("div", { className: "what" }, ...this.describe(box)),
      this.file === "-" ? null : element("p", {}, "Who keeps it: ", element("code", {}, command),
        button("Copy", "Copy this command", () => copyText(command))));
  }

  showNothing() {
    this.chosen = null;
    fill(byId("details"), element("p", { className: "muted" },
      this.blocks.total() > 0 ? "Click a block to zoom into it, or press " : "Nothing is new. Press ",
      element("kbd", {}, "?"), " for all keys."));
  }

  showInMap(at) {
    this.zoomTo(this.blocks.hasInside(at) ? at : Math.max(this.blocks.parent(at), 0));
    this.goToMap();
  }

  goToMap() {
    byId("map").scrollIntoView();
    byId("blocks").querySelector('[tabindex="0"]')?.focus({ preventScroll: true });
  }

  zoomTo(at) {
    if (at === this.map.zoomed)
      return;
    try {
      history.pushState(null, "", at > 0 ? `#block=${at}` : "#");
    } catch {
      /* Where a page has no address of its own, there is no way Back; all else works. */
    }
    this.showZoom(at);
  }

  showZoom(at) {
    byId("tooltip").hidden = true;
    this.showNothing();
    this.map.zoomTo(at);
    this.showCrumbs(at);
  }

  out() {
    if (this.map.zoomed > 0)
      this.zoomTo(this.blocks.parent(this.map.zoomed));
  }

  /* The blocks around; what is in the middle of a long way is left out. */
  showCrumbs(at) {
    const { blocks } = this;
    if (blocks.size === 0)
      return;
    const path = blocks.path(at);
    const most = innerWidth < 760 ? 2 : 6;
    const shown = path.length > most + 2 ? [0, null, ...path.slice(-most)] : path;
    const parts = shown.map((block) => {
      if (block === null)
        return element("span", { className: "muted" }, `… ${path.length - most - 1} more …`);
      const name = block > 0 ? blocks.label(block) : "all";
      const crumb = button(name, `${name}, ${formatWeight(blocks.bytes(block), "bytes")}`,
        () => this.zoomTo(block));
      if (block === at)
        crumb.ariaCurrent = "true";
      return crumb;
    });
    fill(byId("crumbs"), ...parts, element("span", { className: "size end" },
      formatWeight(blocks.bytes(at), "bytes")));
  }

  /* Keys. */
  listen() {
    byId("help-open").onclick = () => byId("help").showModal();
    window.addEventListener("popstate", () => this.readAddress());
    document.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    const typing = event.target.closest?.("input, textarea, dialog");
    if (typing || event.ctrlKey || event.metaKey || event.altKey)
      return;
    const keys = {
      "/": () => this.tables[0]?.input.focus(),
      "?": () => byId("help").showModal(),
      Escape: () => this.out(),
      0: () => this.zoomTo(0),
      m: () => this.goToMap(),
      d: () => byId("theme").click(),
      y: () => this.copy(),
    };
    if (!keys[event.key])
      return;
    event.preventDefault();
    keys[event.key]();
  }

  copy() {
    const [suspect] = this.data.suspects;
    if (this.chosen)
      copyText(`${this.map.label(this.chosen)}\n${formatWeight(this.chosen.bytes, "bytes")}`);
    else if (suspect)
      copyText(this.suspects.plain(suspect));
  }

  readAddress() {
    const at = Number(new URLSearchParams(location.hash.slice(1)).get("block") ?? 0);
    this.showZoom(Number.isInteger(at) && at >= 0 && at < this.blocks.size ? at : 0);
  }
}

/* A file's name as a shell reads it. */
function quoted(text) {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

const app = new HeapPage(JSON.parse(byId("data").textContent));
app.start();
