/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Usage: node shots.mjs RENDER_FIXTURE FOLDER, takes pictures of the page, for looking at. The ones
 * of the README, docs/img/flame.png and sandwich.png, are among them.
 */

import { join } from "node:path";

import { openBrowser } from "./browser.mjs";

const [renderFixture, folder] = process.argv.slice(2);

const SHOTS = [
  { name: "flame", fixture: "demo", height: 800, select: "applyRules" },
  { name: "sandwich", fixture: "demo", height: 800, hash: "#mode=sandwich", choose: "applyRules" },
  { name: "dark", fixture: "demo", scheme: "dark" },
  { name: "tier", fixture: "demo", hash: "#colour=tier&direction=icicle" },
  { name: "tier-dark", fixture: "demo", hash: "#colour=tier", scheme: "dark" },
  { name: "search", fixture: "demo", hash: "#q=/price|rules/i" },
  { name: "search-dark", fixture: "demo", hash: "#q=score", scheme: "dark" },
  { name: "zoom", fixture: "demo", click: "getCart" },
  { name: "sandwich-dark", fixture: "demo", hash: "#mode=sandwich", scheme: "dark" },
  { name: "big", fixture: "big" },
  { name: "big-dark", fixture: "big", scheme: "dark", hash: "#direction=icicle" },
  { name: "small", fixture: "small" },
  { name: "hostile", fixture: "hostile", hash: "#mode=sandwich" },
  { name: "empty", fixture: "empty" },
  { name: "phone", fixture: "demo", width: 390, height: 844, click: "renderPage" },
  { name: "phone-sandwich", fixture: "demo", width: 390, height: 844, hash: "#mode=sandwich" },
  { name: "help", fixture: "demo", key: "?" },
  { name: "tooltip", fixture: "demo", hover: "applyRules" },
];

/* Select the first box of a function. */
async function select(page, name) {
  await page.evaluate((wanted) => {
    app.flame.select(app.profile.tree.frame.findIndex((frame) => app.profile.name[frame] === wanted));
  }, name);
}

/* The middle of the first box of a function. */
async function find(page, name) {
  return page.evaluate((wanted) => {
    const node = app.profile.tree.frame.findIndex((frame) => app.profile.name[frame] === wanted);
    app.flame.scrollToRow(app.profile.tree.depth[node]);
    const box = app.flame.boxOf(node);
    const bounds = app.flame.canvas.getBoundingClientRect();
    return [bounds.left + box.left + box.width / 2, bounds.top + box.top + box.height / 2];
  }, name);
}

const browser = await openBrowser(renderFixture);
for (const shot of SHOTS) {
  const page = await browser.open(shot.fixture, shot);
  if (shot.choose)
    await page.getByRole("button", { name: shot.choose, exact: true }).click();
  if (shot.select)
    await select(page, shot.select);
  if (shot.click)
    await page.mouse.click(...await find(page, shot.click));
  if (shot.hover)
    await page.mouse.move(...await find(page, shot.hover));
  if (shot.key)
    await page.keyboard.press(shot.key);
  await page.waitForTimeout(400); /* the zoom runs its course */
  await page.screenshot({ path: join(folder, `${shot.name}.png`) });
  await page.close();
}
await browser.close();
