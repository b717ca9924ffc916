/* SPDX-License-Identifier: Apache-2.0 */
"use strict";

/*
 * The page: what is shown, and what keys and buttons do. The state is in the address after "#", so
 * that a reload or a copied address shows the same.
 */

const CHOICES = {
  mode: ["flame", "sandwich"],
  colour: ["kind", "tier"],
  direction: ["flame", "icicle"],
  order: ["heavy", "name"],
};

class App {
  constructor(profile) {
    this.profile = profile;
    this.state = { mode: "flame", colour: "kind", direction: "flame", order: "heavy", query: "",
      zoom: 0, frame: -1 };
    this.highlight = -1;
    this.matches = [];
    this.text = new FrameText(profile);
    this.tooltip = new Tooltip(byId("tooltip"), this.text);
    this.panel = new Panel(byId("details"), this.text, [
      ["Copy", "Copy name, place and numbers (y)", () => this.copy()],
      ["Sandwich", "Its callers and callees (s)", () => this.openSandwich(this.panel.facts.frame),
        () => this.state.mode === "flame" || this.panel.facts.frame !== this.sandwich.frame],
      ["Find all", "Every place in the graph where it is called", () => this.findAll()],
    ]);
    this.flame = new FlameView(byId("flame-view"), profile, { skip: 0, row: 0 }, {
      hover: (node, event) => this.hover("flame", node, event),
      select: (node) => this.select("flame", node),
      zoom: (node) => this.zoomed(node),
    });
    this.sandwich = new Sandwich({
      table: byId("functions"), title: byId("chosen"), callers: byId("callers"),
      callees: byId("callees"),
    }, profile, this.text, {
      choose: (frame) => this.openSandwich(frame),
      hover: (role, node, event) => this.hover(role, node, event),
      select: (role, node) => this.select(role, node),
    });
    this.active = this.flame;
  }

  start() {
    showAbout(this.profile);
    this.theme = new Theme((dark) => this.applyTheme(dark));
    this.theme.start();
    if (this.profile.functions().length === 0) {
      showEmpty(this.profile);
      return;
    }
    this.flame.setTree(this.profile.tree, null);
    this.listen();
    this.readAddress();
  }

  applyTheme(dark) {
    this.text.dark = dark;
    this.applyColour();
  }

  /* Buttons with data-set show and set one choice of the state. */
  set(key, value) {
    this.state[key] = value;
    for (const choice of document.querySelectorAll(`[data-set="${key}"]`))
      choice.ariaPressed = String(choice.dataset.value === value);
    const apply = {
      mode: () => this.applyMode(),
      colour: () => {
        this.highlight = -1;
        this.applyColour();
      },
      direction: () => this.flame.setRootAtBottom(value === "flame"),
      order: () => this.applyOrder(),
    };
    apply[key]();
    this.writeAddress();
  }

  toggle(key) {
    this.set(key, CHOICES[key].find((value) => value !== this.state[key]));
  }

  applyMode() {
    const sandwich = this.state.mode === "sandwich";
    document.body.dataset.mode = this.state.mode;
    this.tooltip.hide();
    this.active = sandwich ? this.sandwich.views.callees : this.flame;
    if (sandwich && this.sandwich.frame < 0)
      this.openSandwich(this.hottest());
    this.showMatched();
    this.showSelected();
  }

  hottest() {
    return this.profile.functions()
      .reduce((best, entry) => entry.self > best.self ? entry : best).frame;
  }

  applyColour() {
    const { profile, text } = this;
    const byTier = this.state.colour === "tier";
    const swatches = byTier ? profile.tiers : profile.kinds;
    const paint = new Paint(swatches, text.dark);
    this.shades ??= Uint8Array.from(profile.name, shadeOf);
    const colourOf = (tree, node) => {
      const frame = tree.frame[node];
      if (frame < 0)
        return paint.root;
      return (byTier ? tree.tier[node] : profile.kind[frame]) * SHADES + this.shades[frame];
    };
    this.eachView((view) => view.setPaint(paint, colourOf));
    this.sandwich.table.show();
    this.showLegend(swatches);
    this.setHighlight(this.highlight);
    this.showSelected();
    if (this.sandwich.frame >= 0)
      this.sandwich.showTitle();
  }

  eachView(run) {
    run(this.flame);
    this.sandwich.each(run);
  }

  applyOrder() {
    const { name, tree } = this.profile;
    const byName = (a, b) => name[tree.frame[a]].localeCompare(name[tree.frame[b]], "en") || a - b;
    this.flame.setOrder(this.state.order === "name" ? sortedOrder(tree, byName) : null);
  }

  /* The colours that occur, with their share of self; the largest first. */
  showLegend(swatches) {
    const { profile } = this;
    const shares = this.state.colour === "tier" ? profile.tierShares() : profile.kindShares();
    const used = shares.map((share, id) => ({ share, id }))
      .filter(({ share }) => share !== null)
      .sort((a, b) => b.share - a.share);
    fill(byId("legend"), ...used.map(({ share, id }) => {
      const entry = element("button", { type: "button", ariaPressed: "false",
        title: `${swatches[id].label}: ${formatPercent(share, profile.total)} of self. `
          + "Click to highlight." },
      this.text.swatch(swatches[id]), swatches[id].label,
      element("span", { className: "share" }, formatPercent(share, profile.total)));
      entry.dataset.swatch = id;
      entry.onclick = () => this.setHighlight(this.highlight === id ? -1 : id);
      return entry;
    }));
  }

  setHighlight(swatch) {
    this.highlight = swatch;
    this.eachView((view) => view.setHighlight(swatch));
    for (const entry of byId("legend").children)
      entry.ariaPressed = String(Number(entry.dataset.swatch) === swatch);
  }

  /* Search. */
  search(query) {
    const input = byId("search");
    if (input.value !== query)
      input.value = query;
    this.state.query = query;
    this.matched = this.problem = null;
    try {
      this.matched = this.profile.match(query);
    } catch (error) {
      this.problem = error.message;
    }
    input.ariaInvalid = String(this.problem !== null);
    this.matches = this.matched ? this.profile.matchedNodes(this.matched, 0) : [];
    this.matches.sort((a, b) => this.profile.tree.total[b] - this.profile.tree.total[a]);
    this.match = -1;
    this.eachView((view) => view.setMatched(this.matched));
    this.sandwich.table.setMatched(this.matched);
    if (this.matches.length > 0)
      this.flame.scrollToRow(this.profile.tree.depth[this.matches[0]]);
    this.showMatched();
    this.writeAddress();
  }

  /* Search for one function and no other of that name. */
  findAll() {
    const { name, location } = this.panel.facts;
    this.set("mode", "flame");
    this.search(`${name} ${location}`.trim());
  }

  /* "matched 12.3 % of all", matches inside matches counted once. */
  showMatched() {
    const { profile, matched } = this;
    const output = byId("matched");
    byId("previous").hidden = byId("next").hidden = this.matches.length === 0;
    output.textContent = this.problem ? "not a regular expression" : "";
    output.title = this.problem ?? "";
    if (!matched)
      return;
    const weight = profile.weightOf(this.matches);
    const zoomed = this.flame.zoomed;
    const parts = [`matched ${formatPercent(weight, profile.total)}`];
    if (zoomed > 0 && this.state.mode === "flame")
      parts.push(`${formatPercent(profile.weightOf(profile.matchedNodes(matched, zoomed)),
        profile.tree.total[zoomed])} of view`);
    output.textContent = parts.join(", ");
    output.title = `${this.text.weight(weight)} in ${
      formatNumber(matched.reduce((sum, match) => sum + match, 0), "function")}`;
  }

  /* Go to the next match by weight, or in the sandwich to the next row. */
  nextMatch(step) {
    if (this.state.mode === "sandwich") {
      const rows = this.sandwich.table.shown;
      const at = rows.findIndex((entry) => entry.frame === this.sandwich.frame);
      if (rows.length > 0)
        this.openSandwich(rows[(at + step + rows.length) % rows.length].frame);
    } else if (this.matches.length > 0) {
      const first = this.match < 0 && step < 0 ? 0 : this.match;
      this.match = (first + step + this.matches.length) % this.matches.length;
      this.flame.select(this.matches[this.match]);
      this.flame.zoomTo(this.matches[this.match]);
    }
  }

  /* Frames under the pointer, selected, and zoomed into. */
  viewOf(role) {
    return role === "flame" ? this.flame : this.sandwich.views[role];
  }

  /* What shares "of view" are of: the zoomed frame; in a sandwich, the function. */
  viewTotal(role) {
    const { tree, zoomed } = this.viewOf(role);
    return tree.total[role === "flame" ? zoomed : 0];
  }

  hover(role, node, event) {
    const view = this.viewOf(role);
    if (node < 0) {
      this.tooltip.hide();
      return;
    }
    const facts = factsOfNode(this.profile, view.tree, node);
    const key = `${role} ${node} ${view.zoomed} ${this.sandwich.frame}`;
    this.tooltip.show(key, facts, role, this.viewTotal(role), event);
  }

  select(role, node) {
    this.active = this.viewOf(role);
    this.selected = node < 0 ? null : { role, node };
    this.showSelected();
  }

  showSelected() {
    const { selected, state } = this;
    if (!selected || (selected.role === "flame") !== (state.mode === "flame")) {
      this.panel.clear();
      return;
    }
    const { role, node } = selected;
    const facts = factsOfNode(this.profile, this.viewOf(role).tree, node);
    this.panel.show(facts, role, this.viewTotal(role));
  }

  zoomed(node) {
    if (node === this.state.zoom)
      return;
    this.state.zoom = node;
    this.showCrumbs(node);
    this.showMatched();
    this.showSelected();
    this.writeAddress();
  }

  /* The path to the zoomed frame; what is in the middle of a long one is left out. */
  showCrumbs(node) {
    const { tree } = this.profile;
    const path = [0, ...tree.path(node)];
    const most = innerWidth < 760 ? 2 : 7;
    const shown = path.length > most + 2 ? [0, null, ...path.slice(-most)] : path;
    const parts = shown.map((at) => {
      if (at === null)
        return element("span", { className: "muted" }, `… ${path.length - most - 1} frames …`);
      const name = this.profile.nameOf(tree.frame[at]).slice(0, 80);
      const crumb = button(name, `Zoom to ${name}`, () => this.flame.zoomTo(at));
      if (at === node)
        crumb.ariaCurrent = "true";
      return crumb;
    });
    fill(byId("crumbs"), ...parts,
      node > 0 ? button("✕ Reset zoom", "Show everything (Esc)", () => this.flame.zoomTo(0)) : null);
    if (node > 0)
      byId("crumbs").lastChild.className = "reset end";
  }

  openSandwich(frame) {
    this.state.frame = frame;
    this.sandwich.open(frame);
    this.select("callees", 0);
    if (this.state.mode !== "sandwich")
      this.set("mode", "sandwich");
    this.writeAddress();
  }

  toggleSandwich() {
    const frame = this.panel.facts?.frame ?? -1;
    if (this.state.mode === "sandwich")
      this.set("mode", "flame");
    else if (frame >= 0)
      this.openSandwich(frame);
    else
      this.set("mode", "sandwich");
  }

  copy() {
    const { facts, role } = this.panel;
    if (facts)
      copyText(this.text.plain(facts, role));
  }

  /* Esc leaves one thing at a time: what was narrowed last is what one expects to widen first. */
  escape() {
    if (this.active.zoomed > 0)
      this.active.zoomTo(0);
    else if (this.highlight >= 0)
      this.setHighlight(-1);
    else if (this.state.query)
      this.search("");
    else if (this.active === this.flame)
      this.flame.select(-1);
  }

  listen() {
    for (const choice of document.querySelectorAll("[data-set]"))
      choice.onclick = () => this.set(choice.dataset.set, choice.dataset.value);
    const input = byId("search");
    input.oninput = () => this.search(input.value);
    input.onkeydown = (event) => {
      if (event.key === "Enter")
        this.nextMatch(event.shiftKey ? -1 : 1);
      if (event.key !== "Escape")
        return;
      event.preventDefault();
      this.search("");
      input.blur();
    };
    byId("next").onclick = () => this.nextMatch(1);
    byId("previous").onclick = () => this.nextMatch(-1);
    byId("help-open").onclick = () => byId("help").showModal();
    document.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    const typing = event.target.closest?.("input, textarea, dialog");
    if (typing || event.ctrlKey || event.metaKey || event.altKey)
      return;
    const onButton = event.target.closest?.("button");
    const keys = {
      "/": () => byId("search").focus(),
      "?": () => byId("help").showModal(),
      Escape: () => this.escape(),
      n: () => this.nextMatch(1),
      N: () => this.nextMatch(-1),
      s: () => this.toggleSandwich(),
      f: () => this.set("direction", "flame"),
      i: () => this.set("direction", "icicle"),
      o: () => this.toggle("order"),
      c: () => this.toggle("colour"),
      d: () => this.theme.toggle(),
      y: () => this.copy(),
    };
    if (!onButton)
      keys.Enter = () => this.active.zoomTo(Math.max(this.active.selected, 0));
    for (const arrow of ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"])
      keys[arrow] = () => this.active.move(arrow);
    if (!keys[event.key])
      return;
    event.preventDefault();
    keys[event.key]();
  }

  /* What differs from the defaults, after "#". */
  writeAddress() {
    if (this.reading)
      return;
    const { state } = this;
    const words = new URLSearchParams();
    for (const key of Object.keys(CHOICES))
      if (state[key] !== CHOICES[key][0])
        words.set(key, state[key]);
    if (state.query)
      words.set("q", state.query);
    if (state.zoom > 0)
      words.set("zoom", state.zoom);
    if (state.mode === "sandwich")
      words.set("function", state.frame);
    if (words.toString() === this.address)
      return;
    this.address = words.toString();
    try {
      history.replaceState(null, "", `#${words}`);
    } catch {
      /* Safari allows a hundred of these in half a minute; the next one will do. */
    }
  }

  readAddress() {
    const words = new URLSearchParams(location.hash.slice(1));
    const numberOf = (key, limit) => {
      const value = Number(words.get(key) ?? NaN);
      return Number.isInteger(value) && value >= 0 && value < limit ? value : -1;
    };
    const zoom = numberOf("zoom", this.profile.tree.size);
    const frame = numberOf("function", this.profile.name.length);
    this.reading = true;
    for (const [key, values] of Object.entries(CHOICES))
      if (key !== "mode")
        this.set(key, values.includes(words.get(key)) ? words.get(key) : values[0]);
    this.search(words.get("q") ?? "");
    this.showCrumbs(0);
    if (zoom > 0) {
      this.flame.select(zoom);
      this.flame.zoomTo(zoom);
    }
    if (this.profile.functionOf(frame))
      this.openSandwich(frame);
    this.set("mode", CHOICES.mode.includes(words.get("mode")) ? words.get("mode") : "flame");
    this.reading = false;
    this.writeAddress();
  }
}

const app = new App(new Profile(JSON.parse(byId("profile").textContent)));
app.start();
