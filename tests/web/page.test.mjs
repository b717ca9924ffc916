/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Usage: node page.test.mjs RENDER_FIXTURE. Uses the page as a reader does, in Chromium, from a file.
 *
 * The profile "small" has 100 samples of 10 ms, so that a sample is a per cent:
 *
 *	all                     100
 *	├ main                   85   application, TurboFan
 *	│ ├ handle               75   application; 5 of self, in Sparkplug on line 12
 *	│ │ ├ parse              40   npm, TurboFan
 *	│ │ └ render             30   application; 20 of self: 15 TurboFan, 5 Ignition
 *	│ │   └ render           10   application, TurboFan
 *	│ └ GC                   10
 *	└ uv__io_poll            15   native
 */

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { openBrowser } from "./browser.mjs";

const renderFixture = process.argv[2];
const browser = await openBrowser(renderFixture);

after(() => browser.close());

/* A test of one page, which must not have complained or asked for anything. */
function pageTest(name, fixture, options, run) {
  test(name, async () => {
    const page = await browser.open(fixture, options);
    try {
      await run(page);
      assert.deepEqual(page.trouble, []);
    } finally {
      await page.close();
    }
  });
}

const text = (page, selector) => page.locator(selector).innerText();
const texts = (page, selector) => page.locator(selector).allInnerTexts();
const pressed = (page, label) =>
  page.getByRole("button", { name: label, exact: true }).getAttribute("aria-pressed");

/* The middle of the nth box of a function in the main graph, in the page and in the canvas. */
async function boxOf(page, name, nth = 0) {
  await page.waitForFunction(() => !app.flame.motion && !app.flame.pending);
  return page.evaluate(([wanted, skip]) => {
    const { flame, profile } = app;
    const nodes = [...flame.tree.frame.keys()]
      .filter((node) => profile.nameOf(flame.tree.frame[node]) === wanted);
    const box = flame.boxOf(nodes[skip]);
    const bounds = flame.canvas.getBoundingClientRect();
    return box && { ...box, x: bounds.left + box.left + box.width / 2,
      y: bounds.top + box.top + box.height / 2 };
  }, [name, nth]);
}

async function clickOn(page, name, nth = 0) {
  const { x, y } = await boxOf(page, name, nth);
  await page.mouse.click(x, y);
  await page.waitForFunction(() => !app.flame.motion && !app.flame.pending);
}

/* A pixel of the main canvas as "#rrggbb"; a copy is read, as reading makes Chromium complain. */
function pixelAt(page, x, y) {
  return page.evaluate(([left, top]) => {
    const copy = new OffscreenCanvas(1, 1).getContext("2d");
    const ratio = devicePixelRatio;
    copy.drawImage(app.flame.canvas, Math.round(left * ratio), Math.round(top * ratio), 1, 1,
      0, 0, 1, 1);
    const [red, green, blue] = copy.getImageData(0, 0, 1, 1).data;
    return `#${(red << 16 | green << 8 | blue).toString(16).padStart(6, "0")}`;
  }, [x, y]);
}

/* The colour of a function's box, taken near its right end where no text is. */
async function colourOf(page, name, nth = 0) {
  const { left, top, width } = await boxOf(page, name, nth);
  return pixelAt(page, left + width - 5, top + 3);
}

/* The shades in which a swatch may be drawn on a light page. */
function shadesOf(page, list, name) {
  return page.evaluate(([swatches, wanted]) => {
    const { light } = app.profile[swatches].find((swatch) => swatch.name === wanted);
    return [0, 1, 2, 3].map((shade) => cssColour(mixColour(light, 0xffffff, shade * 0.09)));
  }, [list, name]);
}

pageTest("the header tells what was recorded and what was lost", "small", {}, async (page) => {
  assert.equal(await page.title(), "server.js (pid 4242) · nodiag flame");
  assert.equal(await text(page, "h1"), "server.js (pid 4242)");
  assert.equal(await text(page, "#command"), "node --enable-source-maps dist/server.js --port 8080");
  const facts = await texts(page, "#facts span");
  for (const fact of ["Node.js v22.23.3, V8 12.4.254", "eBPF", "15.0 s", "100 samples",
    "1.00 s CPU time", "99 Hz"])
    assert.ok(facts.includes(fact), fact);
  assert.deepEqual(await texts(page, "#losses span"),
    ["12 samples dropped because the ring was full"]);
});

pageTest("no loss, no warning", "big", {}, async (page) => {
  assert.equal(await page.locator("#losses").isVisible(), false);
});

pageTest("the legend has the share of self of each kind", "small", {}, async (page) => {
  assert.deepEqual((await texts(page, "#legend button")).map((entry) => entry.replace(/\s+/g, " ")),
    ["npm packages 40.0 %", "application 35.0 %", "native 15.0 %", "garbage collection 10.0 %"]);
});

pageTest("search counts matches inside matches once", "small", {}, async (page) => {
  const matched = async (query) => {
    await page.fill("#search", query);
    return text(page, "#matched");
  };
  assert.equal(await matched("parse"), "matched 40.0 %");
  assert.equal(await matched("render"), "matched 30.0 %");
  assert.equal(await matched("RENDER.JS:20"), "matched 30.0 %");
  assert.equal(await matched("/^handle$/"), "matched 75.0 %");
  assert.equal(await matched("/^(parse|GC)$/"), "matched 50.0 %");
  assert.equal(await matched("/^HANDLE$/"), "matched 0 %");
  assert.equal(await matched("/^HANDLE$/i"), "matched 75.0 %");
  assert.equal(await matched("server.js"), "matched 85.0 %");
  assert.equal(await matched("/(/"), "not a regular expression");
  assert.equal(await page.getAttribute("#search", "aria-invalid"), "true");
  assert.equal(await page.locator("#next").isVisible(), false);
  assert.equal(await matched(""), "");
  assert.equal(await page.getAttribute("#search", "aria-invalid"), "false");
});

pageTest("matched frames stand out", "small", {}, async (page) => {
  const before = await colourOf(page, "parse");
  assert.ok((await shadesOf(page, "kinds", "npm")).includes(before), before);
  await page.fill("#search", "render");
  assert.equal(await colourOf(page, "render"), "#b5179e");
  assert.equal(await colourOf(page, "render", 1), "#b5179e");
  assert.notEqual(await colourOf(page, "parse"), before);
  await page.press("#search", "Escape");
  assert.equal(await colourOf(page, "parse"), before);
});

pageTest("Enter and n go from match to match", "small", {}, async (page) => {
  await page.keyboard.press("/");
  await page.keyboard.type("/^(parse|GC)$/");
  await page.keyboard.press("Enter");
  assert.equal(await text(page, "#details .name"), "parse");
  assert.equal(await text(page, "#matched"), "matched 50.0 %, 100 % of view");
  await page.locator("#flame-view").focus();
  await page.keyboard.press("n");
  assert.equal(await text(page, "#details .name"), "GC");
  await page.keyboard.press("N");
  assert.equal(await text(page, "#details .name"), "parse");
  await page.getByRole("button", { name: "Next match" }).click();
  assert.equal(await text(page, "#details .name"), "GC");
});

pageTest("a click zooms, Esc, double click and crumbs zoom out", "small", {}, async (page) => {
  const whole = await boxOf(page, "all");
  const width = (await boxOf(page, "handle")).width;
  assert.ok(Math.abs(width - whole.width * 0.75) < 2);
  await clickOn(page, "handle");
  assert.equal((await boxOf(page, "handle")).width, whole.width);
  assert.equal(await boxOf(page, "GC"), null);
  assert.deepEqual(await texts(page, "#crumbs > *"), ["all", "main", "handle", "✕ Reset zoom"]);
  assert.match(page.url(), /#.*zoom=\d/);
  await page.fill("#search", "parse");
  assert.equal(await text(page, "#matched"), "matched 40.0 %, 53.3 % of view");
  await page.locator("#flame-view").focus();
  await page.keyboard.press("Escape");
  assert.ok(Math.abs((await boxOf(page, "handle")).width - width) < 1);
  await clickOn(page, "render", 1);
  await page.locator("#crumbs").getByRole("button", { name: "main" }).click();
  assert.equal((await boxOf(page, "main")).width, whole.width);
  const { x, y } = await boxOf(page, "handle");
  await page.mouse.dblclick(x, y);
  assert.ok(Math.abs((await boxOf(page, "handle")).width - width) < 1);
  assert.deepEqual(await texts(page, "#crumbs > *"), ["all"]);
});

pageTest("zooming out by wheel ends where it began", "small", {}, async (page) => {
  const { x, y } = await boxOf(page, "parse");
  await page.mouse.move(x, y);
  await page.keyboard.down("Control");
  await page.mouse.wheel(0, -300);
  assert.equal(await page.locator("#crumbs .reset").count(), 1);
  await page.mouse.wheel(0, 900);
  await page.keyboard.up("Control");
  await page.waitForFunction(() => app.flame.zoomed === 0);
  assert.deepEqual(await texts(page, "#crumbs > *"), ["all"]);
});

pageTest("wheel with Ctrl zooms at the pointer, dragging moves", "small", {}, async (page) => {
  const before = await boxOf(page, "parse");
  await page.mouse.move(before.x, before.y);
  await page.keyboard.down("Control");
  await page.mouse.wheel(0, -200);
  await page.keyboard.up("Control");
  const zoomed = await boxOf(page, "parse");
  assert.ok(zoomed.width > before.width * 1.5);
  await page.mouse.down();
  await page.mouse.move(before.x - 100, before.y, { steps: 4 });
  await page.mouse.up();
  const moved = await boxOf(page, "parse");
  assert.ok(moved.x < zoomed.x);
  assert.equal(await page.locator("#details .name").count(), 0, "a drag is no click");
});

pageTest("the tooltip and the panel tell about a frame", "small", {}, async (page) => {
  const { x, y } = await boxOf(page, "render");
  await page.mouse.move(x, y);
  const tip = (await text(page, "#tooltip")).replace(/\s+/g, " ");
  for (const part of ["render", "/app/src/view/render.js:20:9", "application", "20 samples",
    "self 200 ms 20.0 %", "total 300 ms 30.0 %", "Ignition 16.7 %", "TurboFan 83.3 %",
    "hot lines 22 75.0 % 24 25.0 %"])
    assert.ok(tip.includes(part), `${part} in ${tip}`);
  await page.mouse.click(x, y);
  assert.equal(await page.locator("#tooltip").isVisible(), false);
  const panel = (await text(page, "#details")).replace(/\s+/g, " ");
  for (const part of ["self 200 ms 20.0 % 66.7 %", "total 300 ms 30.0 % 100 %"])
    assert.ok(panel.includes(part), `${part} in ${panel}`);
});

pageTest("arrows move, Enter zooms", "small", {}, async (page) => {
  const name = () => text(page, "#details .name");
  const view = page.locator("#flame-view");
  await view.focus();
  for (const [key, want] of [["ArrowUp", "all"], ["ArrowUp", "main"], ["ArrowUp", "handle"],
    ["ArrowUp", "parse"], ["ArrowRight", "render"], ["ArrowUp", "render"], ["ArrowDown", "render"],
    ["ArrowLeft", "parse"], ["ArrowDown", "handle"], ["ArrowRight", "GC"], ["ArrowRight", "GC"]]) {
    await page.keyboard.press(key);
    assert.equal(await name(), want, key);
  }
  await page.keyboard.press("Enter");
  assert.equal((await boxOf(page, "GC")).width, (await boxOf(page, "all")).width);
  await page.keyboard.press("i");
  await page.keyboard.press("ArrowUp");
  assert.equal(await name(), "main", "up is towards the root in an icicle");
});

pageTest("flame has its root at the bottom, icicle at the top", "small", {}, async (page) => {
  assert.ok((await boxOf(page, "all")).top > (await boxOf(page, "main")).top);
  await page.keyboard.press("i");
  assert.equal((await boxOf(page, "all")).top, 0);
  assert.ok((await boxOf(page, "main")).top > 0);
  assert.equal(await pressed(page, "Icicle"), "true");
  await page.keyboard.press("f");
  assert.ok((await boxOf(page, "all")).top > 0);
  assert.equal(await pressed(page, "Icicle"), "false");
});

pageTest("frames are ordered by weight or by name", "small", {}, async (page) => {
  const left = async (name) => (await boxOf(page, name)).left;
  assert.ok(await left("handle") < await left("GC"));
  await page.keyboard.press("o");
  assert.ok(await left("handle") > await left("GC"));
  assert.ok(await left("parse") < await left("render"));
  await page.getByRole("button", { name: "Left heavy" }).click();
  assert.ok(await left("handle") < await left("GC"));
});

pageTest("colour by tier", "small", {}, async (page) => {
  await page.keyboard.press("c");
  assert.deepEqual((await texts(page, "#legend button")).map((entry) => entry.replace(/\s+/g, " ")),
    ["TurboFan 71.3 %", "not JavaScript 25.0 %", "Ignition 3.33 %", "Sparkplug 0.33 %"]);
  const colour = await colourOf(page, "parse");
  assert.ok((await shadesOf(page, "tiers", "TurboFan")).includes(colour), colour);
  const none = await colourOf(page, "GC");
  assert.ok((await shadesOf(page, "tiers", "")).includes(none), none);
});

pageTest("the legend highlights", "small", {}, async (page) => {
  const entry = page.locator("#legend button", { hasText: "npm" });
  const [parse, main] = [await colourOf(page, "parse"), await colourOf(page, "main")];
  await entry.click();
  assert.equal(await entry.getAttribute("aria-pressed"), "true");
  assert.equal(await colourOf(page, "parse"), parse);
  assert.notEqual(await colourOf(page, "main"), main);
  await page.locator("#flame-view").focus();
  await page.keyboard.press("Escape");
  assert.equal(await entry.getAttribute("aria-pressed"), "false");
  assert.equal(await colourOf(page, "main"), main);
});

const rows = async (page) => (await texts(page, "#functions tbody tr"))
  .map((row) => row.replace(/\s+/g, " ").trim());

pageTest("the sandwich table sorts and filters", "small", {}, async (page) => {
  await page.getByRole("button", { name: "Sandwich" }).click();
  assert.deepEqual(await rows(page), [
    "400 ms40.0 % 400 ms40.0 % parse fast-json/index.js:5:7",
    "300 ms30.0 % 300 ms30.0 % render view/render.js:20:9",
    "150 ms15.0 % 150 ms15.0 % uv__io_poll node",
    "100 ms10.0 % 100 ms10.0 % GC",
    "50.0 ms5.00 % 750 ms75.0 % handle server.js:10:3",
    "00 % 850 ms85.0 % main server.js:1:1",
  ]);
  const names = () => texts(page, "#functions tbody .name button");
  await page.getByRole("button", { name: "Total" }).click();
  assert.deepEqual(await names(), ["main", "handle", "parse", "render", "uv__io_poll", "GC"]);
  await page.getByRole("button", { name: "Total" }).click();
  assert.deepEqual(await names(), ["GC", "uv__io_poll", "render", "parse", "handle", "main"]);
  assert.equal(await page.getAttribute("#functions th.total", "aria-sort"), "ascending");
  await page.getByRole("button", { name: "Function" }).click();
  assert.deepEqual(await names(), ["GC", "handle", "main", "parse", "render", "uv__io_poll"]);
  await page.fill("#search", "server.js");
  assert.deepEqual(await names(), ["handle", "main"]);
  await page.fill("#search", "nothing like this");
  assert.deepEqual(await names(), []);
  assert.equal(await text(page, "#functions .more"), "No function matches.");
});

pageTest("the sandwich shows callers above and callees below", "small", {}, async (page) => {
  await page.keyboard.press("s");
  await page.getByRole("button", { name: "render", exact: true }).click();
  assert.equal((await text(page, "#chosen")).replace(/\s+/g, " ").trim(),
    "render view/render.js:20:9 self 300 ms 30.0 % total 300 ms 30.0 %");
  const panel = async () => (await text(page, "#details")).replace(/\s+/g, " ");
  await page.locator("#callers").focus();
  await page.evaluate(() => app.select("callers", -1));
  await page.keyboard.press("ArrowUp");
  assert.match(await panel(), /^handle .* via this caller 300 ms 30\.0 % 100 %/);
  await page.keyboard.press("ArrowUp");
  assert.match(await panel(), /^main .* via this caller 300 ms 30\.0 % 100 %/);
  await page.getByRole("button", { name: "main", exact: true }).click();
  const callees = await page.evaluate(() => {
    const { tree } = app.sandwich.views.callees;
    return [...tree.frame.keys()].map((node) =>
      `${tree.depth[node]} ${app.profile.nameOf(tree.frame[node])} ${tree.total[node] / 1e7}`);
  });
  assert.deepEqual(callees, ["0 main 85", "1 handle 75", "2 parse 40", "2 render 30", "3 render 10",
    "1 GC 10"]);
  await page.locator("#functions").focus();
  await page.getByRole("button", { name: "parse", exact: true }).click();
  await page.keyboard.press("ArrowDown");
  assert.match(await text(page, "#chosen"), /render/);
  await page.keyboard.press("s");
  assert.equal(await page.locator("#flame-view").isVisible(), true);
});

pageTest("callers are seen from the function on", "demo", {}, async (page) => {
  await page.keyboard.press("s");
  await page.waitForFunction(() => app.sandwich.views.callers.height > 0);
  const { scrollTop, rest } = await page.locator("#callers").evaluate((host) =>
    ({ scrollTop: host.scrollTop, rest: host.scrollHeight - host.clientHeight }));
  assert.ok(rest > 0);
  assert.equal(scrollTop, rest);
});

pageTest("a function without callers or callees says so", "small", {}, async (page) => {
  await page.keyboard.press("s");
  await page.getByRole("button", { name: "uv__io_poll", exact: true }).click();
  assert.match(await page.getAttribute("#callers", "data-note"), /^no callers/);
  assert.match(await page.getAttribute("#callees", "data-note"), /^no callees/);
});

pageTest("from a frame to its sandwich and to all its places", "small", {}, async (page) => {
  await clickOn(page, "parse");
  await page.locator("#details").getByRole("button", { name: "Sandwich" }).click();
  assert.match(await text(page, "#chosen"), /parse/);
  await page.getByRole("button", { name: "render", exact: true }).click();
  await page.getByRole("button", { name: "Find all" }).click();
  assert.equal(await page.inputValue("#search"), "render /app/src/view/render.js:20:9");
  assert.match(await text(page, "#matched"), /^matched 30\.0 %/);
});

pageTest("the address brings back what was shown", "small", {
  hash: "#mode=sandwich&colour=tier&direction=icicle&order=name&q=render&function=1",
}, async (page) => {
  assert.equal(await pressed(page, "Tier"), "true");
  assert.equal(await text(page, "#matched"), "matched 30.0 %");
  assert.match(await text(page, "#chosen"), /handle/);
  await page.getByRole("button", { name: "Flame graph" }).click();
  assert.equal(await pressed(page, "Icicle"), "true");
  assert.equal(await pressed(page, "By name"), "true");
});

pageTest("an address that means nothing does no harm", "small", {
  hash: "#mode=x&colour=__proto__&zoom=99999&function=-1&q=%ZZ",
}, async (page) => {
  assert.equal(await pressed(page, "Flame graph"), "true");
  assert.equal(await pressed(page, "Kind"), "true");
});

pageTest("dark as the system is, or as chosen", "small", { scheme: "dark" }, async (page) => {
  const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
  const background = async () => {
    await page.waitForFunction(() => !app.flame.pending);
    return pixelAt(page, 4, 2);
  };
  assert.equal(await theme(), "dark");
  assert.equal(await background(), "#15181d");
  await page.keyboard.press("d");
  assert.equal(await theme(), "light");
  assert.equal(await background(), "#ffffff");
  await page.reload();
  assert.equal(await theme(), "light");
  await page.evaluate(() => localStorage.clear());
});

pageTest("help opens and closes", "small", {}, async (page) => {
  await page.keyboard.press("?");
  assert.equal(await page.locator("#help").isVisible(), true);
  await page.keyboard.press("Escape");
  assert.equal(await page.locator("#help").isVisible(), false);
});

pageTest("y copies the selected frame", "small", {}, async (page) => {
  await clickOn(page, "parse");
  await page.evaluate(() => {
    navigator.clipboard.writeText = async (copied) => {
      window.copied = copied;
    };
  });
  await page.keyboard.press("y");
  assert.equal(await text(page, "#toast"), "Copied");
  assert.equal(await page.evaluate(() => window.copied),
    "parse\n/app/node_modules/fast-json/index.js:5:7\nself 400 ms (40.0 %)\ntotal 400 ms (40.0 %)");
});

pageTest("copying works without the clipboard's permission", "small", {}, async (page) => {
  await clickOn(page, "GC");
  await page.evaluate(() => {
    navigator.clipboard.writeText = () => Promise.reject(new Error("denied"));
    document.addEventListener("copy", () => {
      window.copied = document.activeElement.value;
    });
  });
  await page.keyboard.press("y");
  await page.waitForFunction(() => window.copied);
  assert.match(await page.evaluate(() => window.copied), /^GC\nself 100 ms/);
});

pageTest("hostile names are text", "hostile", {}, async (page) => {
  const owned = "</script><script>document.title='owned'</script>";
  assert.equal(await page.title(), `${owned} · nodiag flame`);
  assert.equal(await text(page, "h1"), owned);
  await page.keyboard.press("s");
  const names = await texts(page, "#functions tbody .name button");
  assert.equal(names.length, 15);
  for (const name of [owned, "<!--<script>", "<img src=x onerror=\"document.title='owned'\">",
    "\"'`${document.title='owned'}\\", "����[31m", "latin1 ��", "🔥 火", "desrever �!",
    "{{profile}}", "__proto__", "(no name)"])
    assert.ok(names.includes(name), name);
  for (const name of names)
    await page.locator("#functions tbody").getByText(name, { exact: true }).first().click();
  await page.fill("#search", "__proto__");
  assert.equal(await page.locator("img").count(), 0);
});

pageTest("an empty profile says why", "empty", {}, async (page) => {
  assert.match(await text(page, "#empty"), /No samples\s+Nothing ran on a CPU/);
  assert.equal(await page.locator(".tools, #legend, #flame, #details").evaluateAll((all) =>
    all.filter((one) => one.checkVisibility()).length), 0);
  await page.locator("#theme").click();
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  await page.evaluate(() => localStorage.clear());
});

pageTest("samples without stacks are not drawn", "stackless", {}, async (page) => {
  assert.match(await text(page, "#empty"), /No stacks\s+None of the samples has a stack/);
});

pageTest("100,000 frames", "big", { width: 1920, height: 1080 }, async (page) => {
  const found = await page.evaluate(() => {
    const { flame, profile } = app;
    const times = [];
    for (let i = 0; i < 30; i++) {
      const start = performance.now();
      flame.draw();
      times.push(performance.now() - start);
    }
    const [load] = performance.getEntriesByType("navigation");
    return { nodes: profile.tree.size, load: load.domComplete,
      redraw: times.sort((a, b) => a - b)[15] };
  });
  console.log(`${found.nodes} nodes: loaded in ${found.load.toFixed(0)} ms, `
    + `redrawn in ${found.redraw.toFixed(1)} ms (median)`);
  assert.ok(found.nodes >= 100000);
  await page.fill("#search", "function0");
  assert.match(await text(page, "#matched"), /^matched \d/);
  await page.keyboard.press("Escape");
  const bottom = await page.evaluate(() => app.flame.host.scrollTop);
  await page.mouse.move(600, 500);
  await page.mouse.wheel(0, -300);
  await page.waitForFunction((from) => app.flame.host.scrollTop < from, bottom);
  await page.keyboard.press("s");
  assert.equal(await page.locator("#functions tbody tr").count(), 300);
  await page.locator("#functions .more button").click();
  assert.equal(await page.locator("#functions tbody tr").count(), 600);
  assert.match(await text(page, "#functions .more"), /^Show 300 of /);
});

/* In a row of tiny frames a match that is narrower than a pixel must still be seen. */
pageTest("a match too narrow to see is seen", "big", {}, async (page) => {
  const { x, y } = await page.evaluate(() => {
    const { flame, profile } = app;
    const perPixel = flame.tree.total[0] / flame.width;
    const node = flame.tree.total.findIndex((total) => total > 0 && total < perPixel * 0.9);
    app.search(`/^${profile.nameOf(flame.tree.frame[node])}$/`);
    flame.scrollToRow(flame.tree.depth[node]);
    flame.draw();
    return { x: flame.layout.x[node] / perPixel, y: flame.boxOf(node).top + 4 };
  });
  const around = [await pixelAt(page, Math.floor(x) - 1, y), await pixelAt(page, Math.floor(x), y)];
  assert.ok(around.includes("#b5179e"), around.join());
});

pageTest("a phone shows all of it", "demo", { width: 390, height: 844 }, async (page) => {
  for (const mode of ["flame", "sandwich"]) {
    const size = await page.evaluate(() => [document.documentElement.scrollWidth,
      document.documentElement.scrollHeight]);
    assert.deepEqual(size, [390, 844], mode);
    assert.equal(await page.locator("#theme").isVisible(), true);
    assert.equal(await page.locator("#search").isVisible(), true);
    await page.getByRole("button", { name: "Sandwich" }).first().click();
  }
  assert.ok((await page.locator("#callers").boundingBox()).height > 60);
});

for (const scheme of ["light", "dark"])
  pageTest(`every control has a name and text can be read (${scheme})`, "demo", { scheme },
    async (page) => {
      await clickOn(page, "main");
      const nameless = await page.locator("button, input").evaluateAll((all) =>
        all.filter((one) => !(one.ariaLabel || one.textContent.trim())).map((one) => one.outerHTML));
      assert.deepEqual(nameless, []);
      const faint = await page.evaluate(() => {
        const colours = (css) => css.match(/\d+/g).map(Number);
        const luminance = ([red, green, blue]) => [red, green, blue]
          .map((value) => value / 255)
          .map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
          .reduce((sum, value, i) => sum + value * [0.2126, 0.7152, 0.0722][i], 0);
        const page = luminance(colours(getComputedStyle(document.body).backgroundColor));
        return [...document.querySelectorAll("#facts, #legend button, #details .place, #command")]
          .filter((one) => {
            const front = luminance(colours(getComputedStyle(one).color));
            return (Math.max(front, page) + 0.05) / (Math.min(front, page) + 0.05) < 4.5;
          }).map((one) => one.id || one.className);
      });
      assert.deepEqual(faint, []);
    });

test("the SVG is well-formed and says the same", async () => {
  const page = await browser.context.newPage();
  for (const fixture of ["small", "hostile", "big", "empty"]) {
    await page.goto(`file://${browser.render(fixture, "svg")}`);
    assert.equal(await page.evaluate(() => document.documentElement.localName), "svg", fixture);
    assert.equal(await page.locator("parsererror").count(), 0, fixture);
  }
  await page.goto(`file://${browser.render("small", "svg")}`);
  const titles = await page.locator("g > title").allTextContents();
  assert.equal(titles.length, 8);
  assert.ok(titles.includes("handle\nfile:///app/src/server.js:10:3\nself 50.0 ms, 5.00 %\n"
    + "total 750 ms, 75.00 %"));
  await page.close();
});
