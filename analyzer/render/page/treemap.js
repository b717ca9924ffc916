/* SPDX-License-Identifier: Apache-2.0 */
"use strict";

/*
 * The map: a block for what an object or a group of objects retains, inside of the block of what
 * dominates it. Each block is a button, so that keys, pointers and screen readers can use it.
 */

const HEAD = 19; /* pixels of a block's name in one line */
const LINE = 16; /* and of each further line */
const LINES = 3;
const LINES_ROOM = 160; /* where fewer words fit, lines are of no use */
const LETTER = 6.6; /* about the width of one */
const SIZE_ROOM = 90; /* a block that is as wide has room for its size, too */
const EDGE = 3; /* around what is inside */
const SEEN = 5; /* pixels of the shorter side that are worth drawing */
const BLOCKS_MAX = 1200;

/*
 * Divide a rectangle among parts, the largest first, as near to squares as can be (Bruls, Huizing
 * and van Wijk, "Squarified treemaps", 2000).
 */
function squarify(parts, { x, y, width, height }) {
  const total = parts.reduce((sum, part) => sum + part.bytes, 0);
  const scale = total > 0 ? width * height / total : 0;
  const placed = [];
  const room = { x, y, width, height };
  const worst = (sum, least, most, side) =>
    Math.max(side * side * most / (sum * sum), sum * sum / (side * side * least));
  for (let from = 0; from < parts.length && room.width > 0 && room.height > 0;) {
    const side = Math.min(room.width, room.height);
    let sum = parts[from].bytes * scale;
    let to = from + 1;
    const most = sum;
    for (let least = sum; to < parts.length; to++) {
      const area = parts[to].bytes * scale;
      if (worst(sum + area, area, most, side) > worst(sum, least, most, side))
        break;
      sum += area;
      least = area;
    }
    const wide = room.width >= room.height;
    const thick = sum / side;
    let along = 0;
    for (; from < to; from++) {
      const length = parts[from].bytes * scale / thick;
      placed.push({ part: parts[from], x: room.x + (wide ? 0 : along),
        y: room.y + (wide ? along : 0), width: wide ? thick : length,
        height: wide ? length : thick });
      along += length;
    }
    if (wide) {
      room.x += thick;
      room.width -= thick;
    } else {
      room.y += thick;
      room.height -= thick;
    }
  }
  return placed;
}

class Treemap {
  /* `on` has hover(box, event), with null for none, select(box) and zoom(at). */
  constructor(host, blocks, on) {
    this.host = host;
    this.blocks = blocks;
    this.on = on;
    this.zoomed = 0;
    this.boxes = [];
    this.listen();
  }

  listen() {
    const { host } = this;
    const boxOf = (event) => this.boxes[event.target.closest?.(".block")?.dataset.box] ?? null;
    host.addEventListener("click", (event) => {
      const box = boxOf(event);
      if (box)
        this.open(box);
    });
    host.addEventListener("pointermove", (event) =>
      this.on.hover(event.pointerType === "mouse" ? boxOf(event) : null, event));
    host.addEventListener("pointerleave", (event) => this.on.hover(null, event));
    host.addEventListener("focusin", (event) => {
      const box = boxOf(event);
      if (box)
        this.select(box);
    });
    host.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.layOut()).observe(host);
  }

  /* A click: into it, or if nothing is in it, into the one around it. */
  open(box) {
    this.select(box);
    const { blocks } = this;
    const inside = box.what || !blocks.hasInside(box.at) ? blocks.parent(box.at) : box.at;
    const at = box.what ? box.at : inside;
    if (at >= 0 && at !== this.zoomed && blocks.hasInside(at))
      this.on.zoom(at);
  }

  zoomTo(at) {
    this.zoomed = at;
    this.selected = null;
    this.layOut();
  }

  layOut() {
    const width = this.host.clientWidth;
    const height = this.host.clientHeight;
    const kept = this.selected;
    const focused = this.host.contains(document.activeElement);
    this.boxes = [];
    if (this.blocks.total() > 0 && width > 0)
      this.fillBox(this.zoomed, { x: 0, y: 0, width, height }, -1);
    fill(this.host, ...this.boxes.map((box, i) => this.element(box, i)));
    const again = kept && this.boxes.find((box) => box.at === kept.at && box.what === kept.what);
    this.mark(again ?? this.boxes[0] ?? null, Boolean(again));
    if (focused)
      this.focusOn(again ?? this.boxes[0]);
  }

  /* Boxes for what is inside of a block, the largest first until there are enough. */
  fillBox(root, rectangle, up) {
    const waiting = [{ at: root, rectangle, up }];
    for (let next = 0; next < waiting.length && this.boxes.length < BLOCKS_MAX; next++) {
      const { at, rectangle: room, up: outer } = waiting[next];
      const parts = this.blocks.parts(at);
      for (const { part, ...place } of squarify(parts, room)) {
        if (Math.min(place.width, place.height) < SEEN || this.boxes.length >= BLOCKS_MAX)
          break;
        this.addBox(part, place, outer, waiting);
      }
    }
  }

  addBox(part, place, up, waiting) {
    const chain = part.what ? [part.at] : this.blocks.chain(part.at);
    const at = chain.at(-1);
    const box = { ...part, at, chain, up, ...place };
    const head = HEAD + LINE * (this.lines(box) - 1);
    const inner = { x: place.x + EDGE, y: place.y + head, width: place.width - 2 * EDGE,
      height: place.height - head - EDGE };
    box.isOpen = !part.what && this.blocks.hasInside(at) && inner.width > 24 && inner.height > 16;
    this.boxes.push(box);
    if (box.isOpen)
      waiting.push({ at, rectangle: inner, up: this.boxes.length - 1 });
  }

  /* What several blocks have in one is worth some room. */
  lines(box) {
    const room = Math.max(box.width - SIZE_ROOM, 1);
    return box.chain.length < 2 || box.width < LINES_ROOM || box.height < 8 * LINE ? 1
      : Math.min(LINES, Math.ceil(this.label(box).length * LETTER / room));
  }

  label(box) {
    if (box.what)
      return this.blocks.labelOfPart(box);
    return box.chain.map((at) => this.blocks.label(at)).join(" › ");
  }

  element(box, i) {
    const { blocks } = this;
    const size = formatWeight(box.bytes, "bytes");
    const label = this.label(box);
    const made = element("button", {
      type: "button",
      className: `block ${box.what === OTHERS ? "others" : blocks.tone(box.at)}`,
      tabIndex: -1,
      ariaLabel: `${label}, ${size}, ${formatPercent(box.bytes, blocks.total())}`,
    });
    if (box.width > 34 && box.height > 18)
      fill(made, element("span", { className: "label" }, label),
        box.width > SIZE_ROOM ? element("span", { className: "size" }, size) : null);
    made.classList.toggle("named", made.childElementCount > 0);
    made.classList.toggle("open", box.isOpen);
    made.classList.toggle("wrapped", this.lines(box) > 1);
    made.dataset.box = i;
    Object.assign(made.style, { left: `${box.x}px`, top: `${box.y}px`,
      width: `${Math.max(1, box.width - 1)}px`, height: `${Math.max(1, box.height - 1)}px` });
    return made;
  }

  elementOf(box) {
    return this.host.children[this.boxes.indexOf(box)];
  }

  /* Make it the one that Tab comes to, and selected or not. */
  mark(box, isSelected) {
    for (const marked of this.host.querySelectorAll('[tabindex="0"], .selected')) {
      marked.tabIndex = -1;
      marked.classList.remove("selected");
    }
    this.selected = isSelected ? box : null;
    if (!box)
      return;
    this.elementOf(box).tabIndex = 0;
    this.elementOf(box).classList.toggle("selected", isSelected);
  }

  select(box) {
    this.mark(box, true);
    this.on.select(box);
  }

  focusOn(box) {
    if (box)
      this.elementOf(box).focus({ preventScroll: true });
  }

  /* Aside among those in the same block, out, and in to the largest. */
  key(event) {
    const { boxes } = this;
    const box = this.selected ?? boxes[0];
    const at = boxes.indexOf(box);
    const beside = boxes.filter((one) => one.up === box?.up);
    const place = beside.indexOf(box);
    const next = {
      ArrowRight: () => beside[place + 1],
      ArrowLeft: () => beside[place - 1],
      ArrowUp: () => boxes[box.up],
      ArrowDown: () => boxes.find((one) => one.up === at),
    }[event.key];
    if (!next || !box)
      return;
    event.preventDefault();
    this.focusOn(next() ?? box);
  }
}
