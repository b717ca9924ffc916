/* SPDX-License-Identifier: Apache-2.0 */
"use strict";

/* What all pages are built with. */

const THEME_KEY = "nodiag.theme";

function byId(id) {
  return document.getElementById(id);
}

/* Give an element these children, leaving out null ones. */
function fill(parent, ...children) {
  parent.replaceChildren(...children.filter((child) => child !== null));
  return parent;
}

function element(tag, properties, ...children) {
  return fill(Object.assign(document.createElement(tag), properties), ...children);
}

function button(label, title, onclick) {
  return element("button", { type: "button", title, onclick }, label);
}

/* Move a box beside the pointer, to the side that has room. */
function placeBeside(box, x, y) {
  const { offsetWidth: width, offsetHeight: height } = box;
  const left = x + 16 + width < innerWidth ? x + 16 : Math.max(4, x - 16 - width);
  const top = y + 18 + height < innerHeight ? y + 18 : Math.max(4, y - 12 - height);
  box.style.transform = `translate(${left}px, ${top}px)`;
}

let toastTimer = 0;

function toast(text) {
  const box = byId("toast");
  box.textContent = text;
  box.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => {
    box.hidden = true;
  }, 1500);
}

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    /* Not every browser lets a file use the clipboard; this way is older and always allowed. */
    const area = element("textarea", { value: text });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  toast("Copied");
}

/* Light or dark: the system's choice until somebody chooses. */
class Theme {
  /* `apply(dark)` is called at the start and at every change. */
  constructor(apply) {
    this.apply = apply;
    this.system = matchMedia("(prefers-color-scheme: dark)");
  }

  start() {
    this.system.addEventListener("change", () => this.use());
    byId("theme").onclick = () => this.toggle();
    this.use();
  }

  use() {
    const theme = this.chosen() ?? (this.system.matches ? "dark" : "light");
    document.documentElement.dataset.theme = theme;
    this.dark = theme === "dark";
    this.apply(this.dark);
  }

  chosen() {
    try {
      return localStorage.getItem(THEME_KEY) ?? this.unstored;
    } catch {
      return this.unstored; /* some browsers have no storage for files */
    }
  }

  toggle() {
    this.unstored = this.dark ? "light" : "dark";
    try {
      localStorage.setItem(THEME_KEY, this.unstored);
    } catch {
      /* then it lasts as long as the page */
    }
    this.use();
  }
}
