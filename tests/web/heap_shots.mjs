/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Usage: node heap_shots.mjs FOLDER PAGE.html..., takes pictures of pages of 'nodiag heap -f html',
 * for looking at. The README's, docs/img/heap.png, is the first of examples/04-heap-leak.
 */

import { basename, join } from "node:path";

import { openBrowser } from "./browser.mjs";

const [folder, ...pages] = process.argv.slice(2);

const SHOTS = [
  { name: "top", height: 640, clip: { x: 0, y: 0, width: 1280, height: 1130 }, fullPage: true },
  { name: "light", height: 1000 },
  { name: "dark", height: 1000, scheme: "dark" },
  { name: "phone", width: 390, height: 844 },
  { name: "whole", fullPage: true },
  { name: "whole-phone", width: 390, height: 844, scheme: "dark", fullPage: true },
  { name: "way", click: ".suspect summary" },
  { name: "zoom", click: "#blocks .block >> nth=1" },
];

const browser = await openBrowser(null);
for (const file of pages) {
  for (const { name, click, clip, fullPage = false, ...options } of SHOTS) {
    const page = await browser.openFile(file, options);
    if (click)
      await page.locator(click).first().click({ position: { x: 8, y: 8 } });
    const path = join(folder, `${basename(file, ".html")}-${name}.png`);
    await page.screenshot({ path, clip, fullPage });
    await page.close();
  }
}
await browser.close();
