/* SPDX-License-Identifier: Apache-2.0 */
"use strict";

/*
 * Drawing a tree on a canvas.
 *
 * Only rows and frames in sight are looked at, and frames narrower than a pixel of the screen are
 * drawn together, so that a redraw costs what is visible and not what is in the profile. A row is
 * as high as its boxes, so one line of pixels says all about it: the boxes are written into an
 * image with a line per row, which the canvas then stretches. That takes a tenth of the time of
 * filling tens of thousands of rectangles.
 */

/* CSS pixels; rows shrink within these so that a whole profile is in sight where it can be. */
const ROW_MAX = 20;
const ROW_MIN = 15;
const SHADES = 4;
const LABEL_MIN = 28; /* narrower boxes get no text */
const SLIVER_MIN = 0.1; /* of a pixel: less is not drawn unless it matches */
const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif";

const STYLE_PLAIN = 0;
const STYLE_DIM = 1;
const STYLE_MATCH = 2;

function mixColour(from, to, part) {
  const channel = (shift) =>
    Math.round((from >> shift & 255) * (1 - part) + (to >> shift & 255) * part);
  return channel(16) << 16 | channel(8) << 8 | channel(0);
}

function cssColour(colour) {
  return `#${colour.toString(16).padStart(6, "0")}`;
}

/* As an ImageData has it, seen as 32-bit words: red first. */
function pixelColour(colour) {
  return (0xff000000 | (colour & 255) << 16 | colour & 0xff00 | colour >> 16) >>> 0;
}

/* FNV-1a, as in palette.c. */
function shadeOf(name) {
  let hash = 2166136261;
  for (let i = 0; i < name.length; i++)
    hash = Math.imul(hash ^ name.charCodeAt(i), 16777619);
  return ((hash ^ hash >>> 16) >>> 0) % SHADES;
}

/*
 * The colours of a theme for a list of swatches. Fills are indexed by swatch * SHADES + shade; the
 * last one is the root's.
 */
class Paint {
  constructor(swatches, dark) {
    const background = dark ? 0x15181d : 0xffffff;
    const deepen = dark ? 0x000000 : 0xffffff;
    const colours = [];
    for (const swatch of swatches)
      for (let shade = 0; shade < SHADES; shade++)
        colours.push(mixColour(dark ? swatch.dark : swatch.light, deepen, shade * 0.09));
    colours.push(dark ? 0x363d47 : 0xd9dde3);
    this.root = colours.length - 1;
    this.background = background;
    this.fills = [
      colours,
      colours.map((colour) => mixColour(colour, background, dark ? 0.62 : 0.66)),
      colours.map(() => dark ? 0xf06cec : 0xb5179e),
    ].map((fills) => Uint32Array.from(fills, pixelColour));
    this.text = dark ? ["#ffffff", "#aab3bf", "#1b0a1f"] : ["#1b1f24", "#59626e", "#ffffff"];
    this.place = dark ? ["#d5dae1", "#838d9a", "#4a1250"] : ["#4a4535", "#87909b", "#f6d5f1"];
  }
}

class FlameCanvas {
  /*
   * `host` is the scrolling element to fill. `skip` rows at the root are not drawn. `row` is the
   * height of a row, or 0 to choose one that fits.
   */
  constructor(host, profile, { skip, row }) {
    this.host = host;
    this.profile = profile;
    this.skip = skip;
    this.fixedRow = row;
    this.rootAtBottom = false;
    this.matched = null;
    this.highlight = -1;
    this.height = this.fullHeight = this.below = 0;
    this.labelWidth = new Float32Array(profile.name.length).fill(-1);
    this.build();
  }

  build() {
    const make = (tag, name, parent) => {
      const made = document.createElement(tag);
      made.className = name;
      parent.append(made);
      return made;
    };
    this.space = make("div", "flame-space", this.host);
    this.stick = make("div", "flame-stick", this.space);
    this.canvas = make("canvas", "flame-canvas", this.stick);
    this.hoverBox = make("div", "flame-box hover", this.stick);
    this.selectedBox = make("div", "flame-box selected", this.stick);
    this.context = this.canvas.getContext("2d", { alpha: false });
    this.lines = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    new ResizeObserver(() => this.resize()).observe(this.host);
  }

  /* Show a tree, its children in an order of sortedOrder() or, for null, in its own. */
  setTree(tree, order) {
    this.tree = tree;
    this.layout = layOut(tree, order);
    this.view = { x0: 0, x1: tree.total[0] };
    this.zoomed = 0;
    this.selected = -1;
    this.hovered = -1;
    this.countMatches();
    this.resize();
    this.scrollToSelected();
  }

  /* The same tree in another order. */
  setOrder(order) {
    this.layout = layOut(this.tree, order);
    this.countMatches();
    this.view = this.spanOf(this.zoomed);
    this.redraw();
  }

  /* `colourOf(tree, node)` is an index into the paint's fills. */
  setPaint(paint, colourOf) {
    this.paint = paint;
    this.colourOf = colourOf;
    this.redraw();
  }

  setRootAtBottom(atBottom) {
    this.rootAtBottom = atBottom;
    this.resize();
    this.scrollToSelected();
  }

  setMatched(matched) {
    this.matched = matched;
    this.countMatches();
    this.redraw();
  }

  setHighlight(swatch) {
    this.highlight = swatch;
    this.redraw();
  }

  /* Matches among the first nodes of the rows, so that slivers know whether they hold one. */
  countMatches() {
    this.matchCount = null;
    if (!this.matched || !this.tree)
      return;
    const { rows } = this.layout;
    this.matchCount = new Uint32Array(rows.length + 1);
    for (let i = 0; i < rows.length; i++) {
      const frame = this.tree.frame[rows[i]];
      this.matchCount[i + 1] = this.matchCount[i] + (frame >= 0 ? this.matched[frame] : 0);
    }
  }

  resize() {
    const wasHidden = this.height === 0;
    this.ratio = window.devicePixelRatio || 1;
    this.width = this.host.clientWidth;
    this.height = this.host.clientHeight;
    const rows = this.tree ? this.tree.height - this.skip : 0;
    this.row = this.fixedRow
      || Math.max(ROW_MIN, Math.min(ROW_MAX, Math.floor(this.height / rows)));
    this.fullHeight = Math.max(rows * this.row, this.height);
    this.space.style.height = `${this.fullHeight}px`;
    this.stick.style.height = `${this.height}px`;
    const width = Math.max(1, Math.round(this.width * this.ratio));
    const height = Math.max(1, Math.round(this.height * this.ratio));
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    if (wasHidden)
      this.scrollToSelected();
    else if (this.rootAtBottom)
      this.host.scrollTop = this.fullHeight - this.height - this.below;
    /* A canvas that was resized is blank until it is drawn. */
    this.draw();
  }

  redraw() {
    this.pending ??= requestAnimationFrame((now) => {
      this.pending = null;
      this.beforeDraw(now);
      this.draw();
    });
  }

  /* For who moves the view with time. */
  beforeDraw() {
  }

  spanOf(node) {
    const x0 = this.layout.x[node];
    return { x0, x1: x0 + this.tree.total[node] };
  }

  /* Top of a row in the whole picture. */
  rowTop(depth) {
    const row = depth - this.skip;
    return this.rootAtBottom ? this.fullHeight - (row + 1) * this.row : row * this.row;
  }

  /* Scroll as little as shows the row and, for what follows, one more. */
  scrollToRow(depth) {
    const top = this.rowTop(depth);
    const margin = this.row;
    if (top - margin < this.host.scrollTop)
      this.host.scrollTop = top - margin;
    else if (top + this.row + margin > this.host.scrollTop + this.height)
      this.host.scrollTop = top + this.row + margin - this.height;
  }

  scrollToSelected() {
    if (this.tree)
      this.scrollToRow(Math.max(this.skip, this.tree.depth[Math.max(this.selected, 0)]));
  }

  /* The first place in [from, to) of `rows` whose node ends right of x; `to` when none does. */
  firstEndingAfter(x, from, to) {
    const { rows, x: left } = this.layout;
    while (from < to) {
      const middle = (from + to) >> 1;
      if (left[rows[middle]] + this.tree.total[rows[middle]] > x)
        to = middle;
      else
        from = middle + 1;
    }
    return from;
  }

  draw() {
    if (!this.tree || !this.paint || this.width === 0)
      return;
    const { context } = this;
    /* For resize(): the browser scrolls a host that has grown before one hears of it. */
    if (this.host.clientHeight === this.height)
      this.below = this.fullHeight - this.height - this.host.scrollTop;
    this.scale = this.canvas.width / (this.view.x1 - this.view.x0 || 1);
    this.labels = [];
    context.fillStyle = cssColour(this.paint.background);
    context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    context.imageSmoothingEnabled = false;
    this.drawRows(this.visibleRows());
    this.drawLabels();
    this.placeBox(this.selectedBox, this.selected);
    this.placeBox(this.hoverBox, this.hovered);
  }

  /* The rows in sight and where they start and end, in device pixels. */
  visibleRows() {
    const found = [];
    for (let depth = this.skip; depth < this.tree.height; depth++) {
      const top = this.rowTop(depth) - this.host.scrollTop;
      if (top + this.row > 0 && top < this.height)
        found.push({ depth, from: Math.round(top * this.ratio),
          to: Math.round((top + this.row) * this.ratio) - 1 });
    }
    return found;
  }

  drawRows(rows) {
    const { width } = this.canvas;
    if (rows.length === 0)
      return;
    const image = new ImageData(width, rows.length);
    const pixels = new Uint32Array(image.data.buffer);
    pixels.fill(pixelColour(this.paint.background));
    rows.forEach(({ depth, from, to }, i) =>
      this.writeRow(depth, pixels.subarray(i * width, (i + 1) * width), (from + to) / 2));
    this.lines.canvas.width = width;
    this.lines.canvas.height = rows.length;
    this.lines.putImageData(image, 0, 0);
    rows.forEach(({ from, to }, i) =>
      this.context.drawImage(this.lines.canvas, 0, i, width, 1, 0, from, width, to - from));
  }

  /* Write the boxes of a row into its line of pixels and note their labels. */
  writeRow(depth, line, middle) {
    const { rows, rowStart, x } = this.layout;
    const { total } = this.tree;
    const { x0, x1 } = this.view;
    const end = rowStart[depth + 1];
    const marks = [];
    let i = this.firstEndingAfter(x0, rowStart[depth], end);
    while (i < end && x[rows[i]] < x1) {
      const node = rows[i];
      const left = (x[node] - x0) * this.scale;
      const right = left + total[node] * this.scale;
      if (right - left >= 1) {
        this.writeBox(node, depth, left, right, line, middle);
        i++;
      } else {
        i = this.writeSliver(i, end, depth, line, marks);
      }
    }
    /* A wide neighbour may begin in the same pixel; a match must be seen all the same. */
    for (const pixel of marks)
      line[pixel] = this.paint.fills[STYLE_MATCH][0];
  }

  writeBox(node, depth, left, right, line, middle) {
    const style = this.styleOf(node, depth);
    const from = Math.max(0, Math.round(left));
    const to = Math.min(line.length, Math.round(right));
    const gap = to - from >= 4 ? 1 : 0;
    line.fill(this.paint.fills[style][this.colourOf(this.tree, node)], from, to - gap);
    if (to - from >= LABEL_MIN * this.ratio)
      this.labels.push({ node, style, from, to, middle });
  }

  /* All nodes that end within a pixel of the first one's start, as one. Returns the place behind. */
  writeSliver(place, end, depth, line, marks) {
    const { rows, x } = this.layout;
    const node = rows[place];
    const next = this.firstEndingAfter(x[node] + 1 / this.scale, place + 1, end);
    const last = rows[next - 1];
    const pixel = Math.max(0, Math.floor((x[node] - this.view.x0) * this.scale));
    const width = (x[last] + this.tree.total[last] - x[node]) * this.scale;
    if (this.matchCount && this.matchCount[next] > this.matchCount[place])
      marks.push(pixel);
    else if (width >= SLIVER_MIN)
      line[pixel] =
        this.paint.fills[this.styleOf(node, depth)][this.colourOf(this.tree, node)];
    return next;
  }

  styleOf(node, depth) {
    const frame = this.tree.frame[node];
    if (this.matched && frame >= 0 && this.matched[frame])
      return STYLE_MATCH;
    if (this.matched || depth < this.tree.depth[this.zoomed])
      return STYLE_DIM;
    const other = Math.floor(this.colourOf(this.tree, node) / SHADES) !== this.highlight;
    return this.highlight >= 0 && other ? STYLE_DIM : STYLE_PLAIN;
  }

  font() {
    return `${(this.row < 17 ? 11 : 12) * this.ratio}px ${FONT}`;
  }

  drawLabels() {
    const { context, ratio } = this;
    context.font = this.font();
    context.textBaseline = "middle";
    for (const { node, style, from, to, middle } of this.labels) {
      const frame = this.tree.frame[node];
      const x = from + 5 * ratio;
      const room = to - x - 4 * ratio;
      const name = this.profile.nameOf(frame).slice(0, 300);
      const width = this.widthOf(frame, name);
      context.fillStyle = this.paint.text[style];
      context.fillText(width <= room ? name : this.cut(name, width, room), x, middle);
      if (width < room)
        this.drawPlace(frame, style, x + width + 8 * ratio, middle, to - 4 * ratio);
    }
  }

  /* The file and line behind the name, where all of it has room. */
  drawPlace(frame, style, x, middle, end) {
    const place = this.profile.labelLocationOf(frame);
    if (!place || end - x < place.length * 4 * this.ratio)
      return;
    if (x + this.context.measureText(place).width > end)
      return;
    this.context.fillStyle = this.paint.place[style];
    this.context.fillText(place, x, middle);
  }

  widthOf(frame, name) {
    if (frame < 0)
      return this.context.measureText(name).width;
    if (this.labelFont !== this.font())
      this.labelWidth.fill(-1);
    this.labelFont = this.font();
    if (this.labelWidth[frame] < 0)
      this.labelWidth[frame] = this.context.measureText(name).width;
    return this.labelWidth[frame];
  }

  /* As much of the name as fits, with an ellipsis; "" when that says nothing. */
  cut(name, width, room) {
    let length = Math.min(name.length, Math.ceil(name.length * room / width));
    for (; length >= 3; length--) {
      const text = `${name.slice(0, length)}…`;
      if (this.context.measureText(text).width <= room)
        return text;
    }
    return "";
  }

  /* The box of a node in CSS pixels of the visible part, or null when it is out of sight. */
  boxOf(node) {
    if (node < 0 || this.tree.depth[node] < this.skip)
      return null;
    const scale = this.width / (this.view.x1 - this.view.x0 || 1);
    const left = Math.max(0, (this.layout.x[node] - this.view.x0) * scale);
    const right = Math.min(this.width,
      (this.layout.x[node] + this.tree.total[node] - this.view.x0) * scale);
    const top = this.rowTop(this.tree.depth[node]) - this.host.scrollTop;
    if (right <= 0 || left >= this.width || top + this.row <= 0 || top >= this.height)
      return null;
    return { left, top, width: Math.max(2, right - left), height: this.row };
  }

  placeBox(element, node) {
    const box = this.boxOf(node);
    element.hidden = !box;
    if (box)
      for (const side of ["left", "top", "width", "height"])
        element.style[side] = `${box[side]}px`;
  }

  /* The node under a point of the page, or -1. */
  hit(event) {
    const bounds = this.canvas.getBoundingClientRect();
    const y = event.clientY - bounds.top + this.host.scrollTop;
    const row = Math.floor((this.rootAtBottom ? this.fullHeight - y : y) / this.row) + this.skip;
    if (!this.tree || row < this.skip || row >= this.tree.height)
      return -1;
    return this.nodeAt(row, event.clientX - bounds.left);
  }

  /* The node of a row at a CSS pixel, the nearest one a pixel to either side, or -1. */
  nodeAt(depth, pixel) {
    const { rows, rowStart, x } = this.layout;
    const perPixel = (this.view.x1 - this.view.x0) / this.width;
    const at = this.view.x0 + pixel * perPixel;
    const end = rowStart[depth + 1];
    const place = this.firstEndingAfter(at, rowStart[depth], end);
    if (place < end && x[rows[place]] <= at + perPixel)
      return rows[place];
    const before = rows[place - 1];
    if (place > rowStart[depth] && x[before] + this.tree.total[before] >= at - perPixel)
      return before;
    return -1;
  }
}
