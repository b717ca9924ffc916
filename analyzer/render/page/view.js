/* SPDX-License-Identifier: Apache-2.0 */
"use strict";

/*
 * A flame graph that is moved, zoomed and selected in: FlameCanvas with pointer and keys.
 */

const ZOOM_TIME = 170; /* milliseconds */

class FlameView extends FlameCanvas {
  /* `on` has hover(node, event), select(node) and zoom(node). */
  constructor(host, profile, shape, on) {
    super(host, profile, shape);
    this.on = on;
    this.listen();
  }

  /* One step of a running zoom. */
  beforeDraw(now) {
    if (!this.motion)
      return;
    const { from, to, start } = this.motion;
    const time = Math.min(1, Math.max(0, (now - start) / ZOOM_TIME));
    const part = 1 - (1 - time) ** 3;
    this.view = {
      x0: from.x0 + (to.x0 - from.x0) * part,
      x1: from.x1 + (to.x1 - from.x1) * part,
    };
    if (time < 1)
      this.redraw();
    else
      this.motion = null;
  }

  /* Make a node as wide as the view. */
  zoomTo(node) {
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const to = this.spanOf(node);
    this.zoomed = node;
    this.motion = still ? null : { from: this.view, to, start: performance.now() };
    if (still)
      this.view = to;
    this.scrollToRow(this.tree.depth[node]);
    this.redraw();
    this.on.zoom(node);
  }

  /* Show [x0, x1), pushed back into the tree; what spans it all counts as zoomed into. */
  setView(x0, width) {
    const all = this.tree.total[0];
    const span = Math.min(all, Math.max(width, all / 1e7));
    const left = Math.min(Math.max(0, x0), all - span);
    let node = 0;
    this.motion = null;
    this.view = { x0: left, x1: left + span };
    for (let next = 0; next >= 0 && span < all;) {
      node = next;
      next = -1;
      for (const child of this.tree.children(node)) {
        const box = this.spanOf(child);
        if (box.x0 <= left && box.x1 >= left + span)
          next = child;
      }
    }
    this.zoomed = node;
    this.redraw();
    this.on.zoom(node);
  }

  select(node) {
    this.selected = node;
    if (node >= 0)
      this.scrollToRow(this.tree.depth[node]);
    this.redraw();
    this.on.select(node);
  }

  hover(node, event) {
    if (node !== this.hovered) {
      this.hovered = node;
      this.placeBox(this.hoverBox, node);
    }
    this.on.hover(node, event);
  }

  listen() {
    const { stick, host } = this;
    host.addEventListener("scroll", () => this.redraw(), { passive: true });
    host.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    stick.addEventListener("pointermove", (event) => this.pointerMove(event));
    stick.addEventListener("pointerleave", (event) => this.hover(-1, event));
    stick.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "mouse" && event.button === 0)
        this.drag = { x: event.clientX, y: event.clientY, moved: false };
    });
    window.addEventListener("pointerup", () => {
      this.dragged = this.drag?.moved;
      this.drag = null;
      stick.classList.remove("dragging");
    });
    stick.addEventListener("click", (event) => this.click(event));
    stick.addEventListener("dblclick", () => this.zoomTo(0));
  }

  click(event) {
    const node = this.hit(event);
    if (this.dragged || node < 0)
      return;
    this.hover(-1, event);
    this.select(node);
    this.zoomTo(node);
  }

  pointerMove(event) {
    if (this.drag) {
      this.pan(event);
      return;
    }
    if (event.pointerType === "mouse")
      this.hover(this.hit(event), event);
  }

  pan(event) {
    const dx = event.clientX - this.drag.x;
    const dy = event.clientY - this.drag.y;
    if (!this.drag.moved && Math.hypot(dx, dy) < 4)
      return;
    const span = this.view.x1 - this.view.x0;
    this.drag = { x: event.clientX, y: event.clientY, moved: true };
    this.stick.classList.add("dragging");
    this.hover(-1, event);
    this.host.scrollTop -= dy;
    if (span < this.tree.total[0])
      this.setView(this.view.x0 - dx * span / this.width, span);
  }

  /* Pinching (ctrl and wheel) zooms at the pointer, sideways moves; all else scrolls by itself. */
  wheel(event) {
    const span = this.view.x1 - this.view.x0;
    const sideways = event.shiftKey ? event.deltaY : event.deltaX;
    if (event.ctrlKey) {
      const pixel = event.clientX - this.canvas.getBoundingClientRect().left;
      const at = this.view.x0 + pixel / this.width * span;
      const width = Math.min(this.tree.total[0], span * Math.exp(event.deltaY / 200));
      event.preventDefault();
      this.setView(at - pixel / this.width * width, width);
    } else if (span < this.tree.total[0] && Math.abs(sideways) > Math.abs(event.deltaY) / 2) {
      event.preventDefault();
      this.setView(this.view.x0 + sideways * span / this.width, span);
    }
  }

  /* Move the selection one frame: "ArrowUp", "ArrowDown", "ArrowLeft" or "ArrowRight". */
  move(key) {
    const { tree } = this;
    const { rows, rowStart, place } = this.layout;
    const outwards = key === (this.rootAtBottom ? "ArrowUp" : "ArrowDown");
    let node = this.selected;
    if (node < 0) {
      node = this.zoomed || (this.skip ? this.firstChild(0) : 0);
    } else if (key === "ArrowLeft" || key === "ArrowRight") {
      const next = place[node] + (key === "ArrowLeft" ? -1 : 1);
      if (next >= rowStart[tree.depth[node]] && next < rowStart[tree.depth[node] + 1]
          && this.isInView(rows[next]))
        node = rows[next];
    } else if (outwards) {
      node = this.firstChild(node);
    } else {
      node = Math.max(tree.parent[node], 0);
    }
    if (tree.depth[node] >= this.skip)
      this.select(node);
  }

  isInView(node) {
    const view = this.motion?.to ?? this.view;
    const { x0, x1 } = this.spanOf(node);
    return x0 < view.x1 && x1 > view.x0;
  }

  /* The leftmost child as drawn; the node itself when it has none. */
  firstChild(node) {
    let first = node;
    for (const child of this.tree.children(node))
      if (first === node || this.layout.x[child] < this.layout.x[first])
        first = child;
    return first;
  }
}
