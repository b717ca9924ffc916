/* SPDX-License-Identifier: Apache-2.0 */
"use strict";

/*
 * The sandwich: every function with its self and total, and around the chosen one who calls it and
 * what it calls.
 */

const TABLE_ROWS = 300; /* shown at once; more on request */

const COLUMNS = [
  { key: "self", label: "Self", title: "in the function itself" },
  { key: "total", label: "Total", title: "with everything it calls" },
  { key: "name", label: "Function", title: "name and place" },
];

class FunctionTable {
  /* `host` is the scrolling element; `choose(frame)` is called for a row. */
  constructor(host, profile, text, choose) {
    this.host = host;
    this.profile = profile;
    this.text = text;
    this.choose = choose;
    this.matched = null;
    this.sort = { key: "self", down: true };
    this.limit = TABLE_ROWS;
    this.chosen = -1;
    this.build();
  }

  build() {
    this.heads = COLUMNS.map((column) => {
      const head = element("th", { scope: "col", className: column.key },
        button(column.label, `Sort by ${column.label.toLowerCase()}: ${column.title}`,
          () => this.sortBy(column.key)));
      return head;
    });
    this.body = element("tbody", {});
    this.more = element("p", { className: "more" });
    this.body.addEventListener("click", (event) => {
      const row = event.target.closest("tr");
      if (row)
        this.choose(Number(row.dataset.frame));
    });
    this.host.addEventListener("keydown", (event) => this.key(event));
    fill(this.host,
      element("table", { className: "functions" },
        element("caption", {}, "Functions by self and total"),
        element("thead", {}, element("tr", {}, ...this.heads)),
        this.body),
      this.more);
  }

  sortBy(key) {
    const down = this.sort.key === key ? !this.sort.down : key !== "name";
    this.sort = { key, down };
    this.show();
  }

  setMatched(matched) {
    this.matched = matched;
    this.limit = TABLE_ROWS;
    this.show();
  }

  /* The matching functions in the chosen order. */
  functions() {
    const { name } = this.profile;
    const { key, down } = this.sort;
    const sign = down ? -1 : 1;
    const compare = key === "name"
      ? (a, b) => sign * name[a.frame].localeCompare(name[b.frame], "en")
      : (a, b) => sign * (a[key] - b[key]) || b.self - a.self || b.total - a.total;
    return this.profile.functions()
      .filter((entry) => !this.matched || this.matched[entry.frame])
      .sort(compare);
  }

  show() {
    const list = this.functions();
    const rest = list.length - this.limit;
    this.heads.forEach((head, i) => {
      const sorted = COLUMNS[i].key === this.sort.key;
      head.ariaSort = !sorted ? "none" : this.sort.down ? "descending" : "ascending";
    });
    fill(this.body, ...list.slice(0, this.limit).map((entry) => this.row(entry)));
    fill(this.more, list.length === 0 ? "No function matches." : null,
      rest > 0 ? button(`Show ${formatCount(Math.min(rest, TABLE_ROWS))} of ${
        formatCount(rest)} more`, "", () => this.showMore()) : null);
    this.shown = list;
    this.mark();
  }

  showMore() {
    this.limit += TABLE_ROWS;
    this.show();
  }

  row(entry) {
    const { profile, text } = this;
    const { frame } = entry;
    const amount = (name, value) => {
      const cell = element("td", { className: name }, text.weight(value),
        element("span", { className: "share" }, formatPercent(value, profile.total)));
      cell.style.setProperty("--share", profile.total > 0 ? value / profile.total : 0);
      return cell;
    };
    const made = element("tr", {},
      amount("self", entry.self),
      amount("total", entry.total),
      element("td", { className: "name" }, element("div", {},
        text.swatch(profile.kinds[profile.kind[frame]]),
        button(profile.nameOf(frame).slice(0, 300), profile.locationOf(frame), null),
        element("span", { className: "place" }, profile.shortLocationOf(frame)))));
    made.dataset.frame = frame;
    return made;
  }

  setChosen(frame) {
    this.chosen = frame;
    this.mark();
  }

  mark() {
    for (const row of this.body.rows) {
      const chosen = Number(row.dataset.frame) === this.chosen;
      row.classList.toggle("chosen", chosen);
      row.ariaSelected = chosen ? "true" : "false";
      if (chosen)
        row.scrollIntoView({ block: "nearest" });
    }
  }

  /* Up and down choose the neighbour. */
  key(event) {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const rows = [...this.body.rows];
    const at = rows.findIndex((row) => row.classList.contains("chosen"));
    const next = rows[at + step];
    if (!step || !next)
      return;
    event.preventDefault();
    event.stopPropagation();
    this.choose(Number(next.dataset.frame));
    next.querySelector("button").focus({ preventScroll: true });
  }
}

class Sandwich {
  /*
   * `nodes` are the page's elements {table, title, callers, callees}. `on` has choose(frame) and,
   * with the role "callers" or "callees", hover(role, node, event) and select(role, node).
   */
  constructor(nodes, profile, text, on) {
    const viewOf = (role) => new FlameView(nodes[role], profile, { skip: 1, row: 18 }, {
      hover: (node, event) => on.hover(role, node, event),
      select: (node) => on.select(role, node),
      zoom: () => {},
    });
    this.nodes = nodes;
    this.profile = profile;
    this.text = text;
    this.frame = -1;
    this.table = new FunctionTable(nodes.table, profile, text, on.choose);
    this.views = { callers: viewOf("callers"), callees: viewOf("callees") };
    this.views.callers.setRootAtBottom(true);
  }

  each(run) {
    Object.values(this.views).forEach(run);
  }

  /* Show a function's callers and callees. */
  open(frame) {
    const { profile, nodes, views } = this;
    this.frame = frame;
    this.table.setChosen(frame);
    views.callers.setTree(profile.callers(frame), null);
    views.callees.setTree(profile.callees(frame), null);
    this.share();
    this.note(nodes.callers, views.callers, "no callers: it is where its stacks begin");
    this.note(nodes.callees, views.callees, "no callees: all its time is its own");
    this.showTitle();
  }

  /* Give the halves room by their height, a quarter at least. */
  share() {
    const { callers, callees } = this.views;
    const rows = callers.tree.height + callees.tree.height;
    for (const view of [callers, callees])
      view.host.style.flexGrow = Math.max(0.25, Math.min(0.75, view.tree.height / rows));
  }

  /* The bar between the halves. */
  showTitle() {
    const { profile, nodes, frame } = this;
    const entry = profile.functionOf(frame);
    const amount = (label, value) => element("span", { className: "amount" }, `${label} `,
      element("b", {}, this.text.weight(value)), ` ${formatPercent(value, profile.total)}`);
    fill(nodes.title,
      this.text.swatch(profile.kinds[profile.kind[frame]]),
      element("b", { className: "name" }, profile.nameOf(frame).slice(0, 300)),
      element("span", { className: "place" }, profile.shortLocationOf(frame)),
      amount("self", entry.self),
      amount("total", entry.total));
  }

  /* Say why a half is blank. */
  note(host, view, text) {
    host.dataset.note = view.tree.size > 1 ? "" : text;
  }
}
