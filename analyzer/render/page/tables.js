/* SPDX-License-Identifier: Apache-2.0 */
"use strict";

/*
 * A table of the data: its columns say how they are shown, sorted and searched. Its parts have the
 * roles of a table in words, for on narrow screens they are not laid out as one.
 */

const ROWS = 50; /* shown at once; more on request */
const SYSTEM = 100000000; /* added to distances of what only V8's own roots reach */

function formatGrowth(value) {
  return value === 0 ? "0" : `${value < 0 ? "−" : "+"}${formatWeight(Math.abs(value), "bytes")}`;
}

function formatDistance(value) {
  return value >= 0 && value < SYSTEM ? formatCount(value) : "–";
}

const FORMATS = {
  count: formatCount,
  bytes: (value) => formatWeight(value, "bytes"),
  share: (value) => formatWeight(value, "bytes"),
  growth: formatGrowth,
  distance: formatDistance,
};

/* What `query` says of a text: a part of it in any case, or /a regular expression/. */
function matcherOf(query) {
  const pattern = /^\/(.+)\/(i?)$/.exec(query);
  if (pattern) {
    const regexp = new RegExp(pattern[1], pattern[2]);
    return (text) => regexp.test(text);
  }
  const part = query.toLowerCase();
  return (text) => text.toLowerCase().includes(part);
}

class DataTable {
  /* `show(id)` gives what shows an object in the map, or null where the map does not have it. */
  constructor(table, show) {
    this.table = table;
    this.showObject = show;
    this.texts = table.columns.map((_, i) => i)
      .filter((i) => !(table.columns[i].kind in FORMATS));
    this.sort = { column: 0, down: true };
    this.limit = ROWS;
    this.query = "";
  }

  build() {
    const { table } = this;
    const title = `${table.id}-title`;
    this.heads = table.columns.map((column, i) => element("th", { scope: "col",
      role: "columnheader", className: column.kind }, button(column.label, `Sort by this: ${column.title}`,
      () => this.sortBy(i))));
    this.body = element("tbody", { role: "rowgroup" });
    this.more = element("p", { className: "more" });
    this.found = element("output", {});
    this.input = element("input", { type: "search", autocomplete: "off", spellcheck: false,
      placeholder: "Search: text or /regex/", ariaLabel: `Search ${table.title.toLowerCase()}`,
      oninput: () => this.search(this.input.value) });
    this.input.addEventListener("keydown", (event) => {
      if (event.key !== "Escape")
        return;
      event.preventDefault();
      this.input.value = "";
      this.search("");
      this.input.blur();
    });
    const made = element("section", { id: table.id },
      element("div", { className: "table-head" },
        element("h2", { id: title }, table.title),
        element("search", {}, this.found, this.input)),
      table.about ? element("p", { className: "muted" }, table.about) : null,
      element("div", { className: "scroll" }, element("table",
        { className: "data", role: "table" },
        element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, ...this.heads)),
        this.body)),
      this.more,
      table.rest ? element("p", { className: "rest muted" }, table.rest) : null);
    made.setAttribute("aria-labelledby", title);
    this.body.parentNode.setAttribute("aria-labelledby", title);
    this.show();
    return made;
  }

  /* Numbers the largest first, texts in their order; once more, the other way. */
  sortBy(column) {
    const { sort } = this;
    const down = sort.column === column ? !sort.down : !this.texts.includes(column);
    this.sort = { column, down };
    this.show();
  }

  search(query) {
    this.query = query;
    this.limit = ROWS;
    this.show();
  }

  rows() {
    const { table, sort, texts } = this;
    const sign = sort.down ? -1 : 1;
    const compare = texts.includes(sort.column)
      ? (a, b) => sign * a[sort.column].localeCompare(b[sort.column], "en")
      : (a, b) => sign * (a[sort.column] - b[sort.column]);
    let matches = () => true;
    this.problem = null;
    try {
      matches = this.query ? matcherOf(this.query) : matches;
    } catch (error) {
      this.problem = error.message;
    }
    return table.rows.filter((row) => texts.some((i) => matches(row[i]))).sort(compare);
  }

  show() {
    const list = this.rows();
    const rest = list.length - this.limit;
    this.heads.forEach((head, i) => {
      head.ariaSort = this.sort.column !== i ? "none" : this.sort.down ? "descending" : "ascending";
    });
    fill(this.body, ...list.slice(0, this.limit).map((row) => this.row(row)));
    fill(this.more, list.length === 0 ? (this.query ? "Nothing matches." : "There are none.") : null,
      rest > 0 ? button(`Show ${formatCount(Math.min(rest, 10 * ROWS))} of ${
        formatCount(rest)} more`, "", () => this.showMore()) : null);
    this.input.ariaInvalid = String(this.problem !== null);
    this.found.textContent = this.problem ? "not a regular expression"
      : this.query ? `${formatCount(list.length)} of ${formatCount(this.table.rows.length)}` : "";
  }

  showMore() {
    this.limit += 10 * ROWS;
    this.show();
  }

  row(values) {
    return element("tr", { role: "row" },
      ...this.table.columns.map((column, i) => this.cell(column, values[i])));
  }

  cell(column, value) {
    const format = FORMATS[column.kind];
    const text = format ? format(value) : printable(value);
    const cell = element("td", { role: "cell", className: column.kind,
      title: format ? "" : text }, text);
    cell.dataset.label = column.label;
    const id = column.kind === "object" ? /@(\d+)$/.exec(text)?.[1] : null;
    const show = id && this.showObject(Number(id));
    if (show)
      fill(cell, button(text, "Show it in the map", show));
    if (column.kind === "share") {
      const { whole } = this.table;
      cell.append(" ", element("span", { className: "percent" }, formatPercent(value, whole)));
      cell.style.setProperty("--share", whole > 0 ? value / whole : 0);
    }
    if (column.kind === "growth")
      cell.classList.add(value > 0 ? "more-of-it" : "less-of-it");
    return cell;
  }
}
