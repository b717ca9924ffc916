/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Usage: node heap.test.mjs NODIAG. Uses the pages of nodiag heap as a reader does, in Chromium.
 *
 * The program has a module with a bus, whose listeners for "request" are never taken away, and a
 * cache:
 *
 *	global
 *	└ handle                     a function at app/server.js:12
 *	  └ its scope
 *	    ├ bus                    EventEmitter
 *	    │ └ _events
 *	    │   └ request            an array of 2,000 listeners in "before", 6,000 in "after"
 *	    │     └ onRequest        a function at app/session.js:7, 64 bytes
 *	    │       └ its scope      36 bytes
 *	    │         └ session      Session, made at app/session.js:3, 924 bytes, 1 KiB in all
 *	    └ cache                  Map, 1 MiB by itself
 */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";

import { openBrowser } from "./browser.mjs";
import { Snapshot } from "./snapshot.mjs";

const KIB = 1024;
const SERVER = 4; /* scripts */
const SESSION = 5;

const nodiag = process.argv[2];
const browser = await openBrowser(null);

after(() => browser.close());

/* What names a script: the one of a function, by its shared part. */
function nameScript(snapshot, node, path) {
  const shared = snapshot.below(node, "internal", "shared", "code", node.name, 0);
  snapshot.below(shared, "internal", "script", "code", path, 0);
}

function makeProgram() {
  const snapshot = new Snapshot();
  const global = snapshot.below(snapshot.root, "shortcut", "1", "object", "global", 16);
  const handle = snapshot.below(global, "property", "handle", "closure", "handle", 64);
  snapshot.locate(handle, SERVER, 12);
  nameScript(snapshot, handle, "/srv/app/server.js");
  const scope = snapshot.below(handle, "internal", "context", "object", "system / Context", 32);
  return { snapshot, global, scope };
}

function makeServer(sessions) {
  const { snapshot, scope } = makeProgram();
  const bus = snapshot.below(scope, "context", "bus", "object", "EventEmitter", 32);
  const events = snapshot.below(bus, "property", "_events", "object", "Object", 24);
  const list = snapshot.below(events, "property", "request", "object", "Array", 16);
  snapshot.below(scope, "context", "cache", "object", "Map", KIB * KIB);
  for (let i = 0; i < sessions; i++) {
    const listener = snapshot.below(list, "element", i, "closure", "onRequest", 64);
    snapshot.locate(listener, SESSION, 7);
    if (i === 0)
      nameScript(snapshot, listener, "/srv/app/session.js");
    const inner = snapshot.below(listener, "internal", "context", "object", "system / Context", 36);
    const session = snapshot.below(inner, "context", "session", "object", "Session", 892);
    snapshot.below(session, "property", "path", "string", "GET /users", 32);
    snapshot.locate(session, SESSION, 3);
  }
  return snapshot;
}

/* Every name is hostile. */
const HOSTILE = ["</script><script>document.title='owned'</script>", "<!--<script>",
  "<img src=x onerror=\"document.title='owned'\">", "\"'`${document.title='owned'}\\",
  "\u001b[31m\u0001", "desrever \u202e!", "]]>&amp;<svg onload=alert(1)>", "{{data}}", "__proto__",
  "lone \ud800"];

function makeHostile() {
  const { snapshot, global } = makeProgram();
  HOSTILE.forEach((name, i) => {
    const holder = snapshot.below(global, "property", name, "object", name, 4 * KIB * KIB);
    for (let copy = 0; copy < 2; copy++)
      snapshot.below(holder, "property", `${i}${copy}`, "string", name, 1000 - i);
    const made = snapshot.below(holder, "property", "made", "closure", name, 64);
    snapshot.locate(made, 10 + i, 1);
    nameScript(snapshot, made, `/srv/${name}`);
  });
  return snapshot;
}

/* More classes than a page has, and objects that are too small for the map. */
function makeMany() {
  const { snapshot, global } = makeProgram();
  for (let i = 0; i < 60000; i++) {
    const one = snapshot.below(global, "element", i, "object", `Class${i % 5200}`, 100 + i % 1000);
    snapshot.below(one, "property", "part", "object", `Part${i % 7}`, 50);
  }
  return snapshot;
}

const SNAPSHOTS = { before: makeServer(2000), after: makeServer(6000), later: makeServer(9000),
  hostile: makeHostile(), many: makeMany(), steady: makeServer(2000) };

function pathOf(name) {
  return join(browser.folder, `${name}.heapsnapshot`);
}

for (const [name, snapshot] of Object.entries(SNAPSHOTS))
  writeFileSync(pathOf(name), snapshot.text());

/* The page of `nodiag heap summary` of a snapshot, or of `nodiag heap diff` of several. */
function pageOf(...names) {
  const file = join(browser.folder, `${names.join("-")}.html`);
  execFileSync(nodiag, ["heap", names.length > 1 ? "diff" : "summary", "-f", "html", "--force",
    "-o", file, ...names.map(pathOf)], { stdio: "ignore" });
  return file;
}

/* A test of one page, which must not have complained or asked for anything. */
function pageTest(name, snapshots, options, run) {
  test(name, async () => {
    const page = await browser.openFile(pageOf(...snapshots), options);
    try {
      await run(page);
      assert.deepEqual(page.trouble, []);
    } finally {
      await page.close();
    }
  });
}

const text = async (page, selector) =>
  (await page.locator(selector).first().innerText()).replace(/\s+/g, " ").trim();
const texts = async (page, selector) => (await page.locator(selector).allInnerTexts())
  .map((one) => one.replace(/\s+/g, " ").trim());
const rowOf = async (page, row) => (await texts(page, `${row} > td`)).join(" ");
const column = (page, table, nth) => texts(page, `#${table} tbody td:nth-child(${nth})`);
const sortBy = (page, table, label) =>
  page.locator(`#${table}`).getByRole("button", { name: label, exact: true }).click();

/* The boxes of the map whose label begins so. */
const box = (page, label) => page.locator(`#blocks .block[aria-label^="${label}"]`).first();

/* Click a box where nothing else is on it: on its name. */
const open = (page, label) => box(page, label).click({ position: { x: 8, y: 8 } });

const crumbs = (page) => texts(page, "#crumbs > button");

pageTest("a heap's page begins with where memory gathers", ["after"], {}, async (page) => {
  assert.equal(await page.title(), "after.heapsnapshot · nodiag heap");
  assert.deepEqual((await texts(page, "#facts span")).slice(0, 2),
    ["6.86 MiB", "24,007 objects"]);
  assert.equal(await text(page, "#suspects h2"), "Where memory gathers");
  assert.equal(await text(page, ".suspect h3"), "app/server.js:12 bus._events.request");
  assert.equal(await text(page, ".suspect .amount"),
    "6,000 × Function 6.86 MiB 100 % of the heap");
  assert.match(await text(page, ".suspect .such"),
    /^such as function onRequest .*@\d+ in Array @\d+$/);
});

pageTest("the way to a suspect is told step by step", ["after"], {}, async (page) => {
  assert.equal(await page.locator(".way").first().isVisible(), false);
  await page.locator(".suspect summary").first().click();
  const steps = await texts(page, ".suspect:first-child .way li");
  assert.equal(steps.length, 7);
  assert.match(steps[2], /^\.handle function handle \(app\/server\.js:12\) @5 retains 6\.86 MiB$/);
  assert.match(steps[6], /^\.request Array @\d+ retains 5\.86 MiB$/);
});

pageTest("a suspect is shown in the map, and copied in words", ["after"], {}, async (page) => {
  await page.evaluate(() => {
    navigator.clipboard.writeText = async (copied) => {
      window.copied = copied;
    };
  });
  const first = page.locator(".suspect").first();
  await first.getByRole("button", { name: "Copy" }).click();
  assert.equal(await text(page, "#toast"), "Copied");
  assert.match(await page.evaluate(() => window.copied),
    /^app\/server\.js:12 bus\._events\.request: 6,000 × Function, 6\.86 MiB, 100 % of the heap\nsuch as /);
  await first.getByRole("button", { name: "Show in the map" }).click();
  assert.equal((await crumbs(page)).at(-1), ".request: Array");
  assert.equal(await box(page, "6,000 × function onRequest").isVisible(), true);
});

pageTest("classes have their numbers, and are sorted by each", ["after"], {}, async (page) => {
  assert.equal(await rowOf(page, "#classes tr:has(.text:text-is('Session'))"),
    "5.29 MiB 77.1 % 5.10 MiB 74.4 % 6,000 9 Session app/session.js:3");
  assert.equal((await column(page, "classes", 5))[0], "global");
  await sortBy(page, "classes", "Self");
  assert.equal((await column(page, "classes", 5))[0], "Session");
  const head = page.locator("#classes thead th", { hasText: "Self" });
  assert.equal(await head.getAttribute("aria-sort"), "descending");
  await sortBy(page, "classes", "Self");
  assert.equal(await head.getAttribute("aria-sort"), "ascending");
  await sortBy(page, "classes", "Class");
  const names = await column(page, "classes", 5);
  assert.deepEqual(names, [...names].sort((a, b) => a.localeCompare(b, "en")));
});

pageTest("tables are searched, by text and by regular expression", ["after"], {}, async (page) => {
  const found = async (query) => {
    await page.fill("#classes input", query);
    return column(page, "classes", 5);
  };
  assert.deepEqual(await found("session"), ["Session"]);
  assert.deepEqual(await found("app/session.js:3"), ["Session"]);
  assert.deepEqual((await found("/^(Map|Array)$/")).sort(), ["Array", "Map"]);
  assert.equal(await text(page, "#classes output"), "2 of 9");
  assert.deepEqual(await found("nobody"), []);
  assert.equal(await text(page, "#classes .more"), "Nothing matches.");
  assert.equal((await found("/(/")).length, 9);
  assert.equal(await text(page, "#classes output"), "not a regular expression");
  assert.equal(await page.getAttribute("#classes input", "aria-invalid"), "true");
  await page.press("#classes input", "Escape");
  assert.equal(await page.inputValue("#classes input"), "");
  await page.keyboard.press("/");
  assert.equal(await page.evaluate(() => document.activeElement.ariaLabel), "Search classes");
});

pageTest("strings that are there several times are listed", ["after"], {}, async (page) => {
  assert.equal(await rowOf(page, "#strings tbody tr"), '187 KiB 2.67 % 6,000 32 B "GET /users"');
});

pageTest("who keeps it is told by module, function and scope", ["after"], {}, async (page) => {
  const modules = await column(page, "modules", 3);
  assert.ok(modules.includes("/srv/app/session.js") && modules.includes("/srv/app/server.js"));
  assert.match(await rowOf(page, "#closures tbody tr:has-text('onRequest')"),
    /^5\.86 MiB 85\.4 % 375 KiB 6,000 function onRequest .*@\d+$/);
  assert.match(await rowOf(page, "#scopes tbody tr:first-child"), /function (handle|onRequest) /);
  assert.deepEqual(await column(page, "collections", 3), ["1", "1", "1"]);
});

pageTest("the largest objects have their ways", ["after"], {}, async (page) => {
  assert.match(await rowOf(page, "#objects tbody tr"),
    /^6\.86 MiB 100 % function handle \(app\/server\.js:12\) @5 global\.handle$/);
  await page.locator("#objects").getByRole("button", { name: "function handle" }).click();
  assert.equal((await crumbs(page)).at(-1), ".handle: function handle (app/server.js:12)");
});

pageTest("a click goes into a block, Back and Escape go out", ["after"], {}, async (page) => {
  assert.deepEqual(await crumbs(page), ["all"]);
  await open(page, "cache (context): Map");
  assert.equal((await crumbs(page)).at(-1), "context (internal): system / Context",
    "a block with nothing in it opens the one around it");
  await open(page, "bus (context): EventEmitter");
  assert.equal((await crumbs(page)).at(-1), "6,000 × function onRequest (app/session.js:7)",
    "blocks that are nearly all of one another are one");
  assert.match(page.url(), /#block=\d+$/);
  await page.goBack();
  assert.equal((await crumbs(page)).at(-1), "context (internal): system / Context");
  await page.goForward();
  assert.equal((await crumbs(page)).at(-1), "6,000 × function onRequest (app/session.js:7)");
  await page.keyboard.press("Escape");
  assert.equal((await crumbs(page)).at(-1), ".request: Array");
  await page.reload();
  assert.equal((await crumbs(page)).at(-1), ".request: Array");
  await page.locator("#crumbs button").first().click();
  assert.deepEqual(await crumbs(page), ["all"]);
});

pageTest("the map is used by keys", ["after"], {}, async (page) => {
  const focused = () => page.evaluate(() => document.activeElement.ariaLabel);
  await page.keyboard.press("m");
  assert.match(await focused(), /^global › /);
  await page.keyboard.press("ArrowDown");
  assert.match(await focused(), /^bus \(context\): EventEmitter › .*, 5\.86 MiB, 85\.4 %$/);
  assert.match(await text(page, "#details"), /retainers .*after\.heapsnapshot @\d+/);
  await page.setViewportSize({ width: 1000, height: 700 });
  await page.waitForFunction(() => app.map.boxes[0].width < 1000);
  assert.match(await focused(), /^bus /, "what was selected is when the window was made smaller");
  await page.keyboard.press("ArrowRight");
  assert.match(await focused(), /^cache \(context\): Map, 1\.00 MiB, 14\.6 %$/);
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("Enter");
  assert.equal((await crumbs(page)).at(-1), "6,000 × function onRequest (app/session.js:7)");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("0");
  assert.deepEqual(await crumbs(page), ["all"]);
});

pageTest("a tooltip tells about a block", ["after"], {}, async (page) => {
  await box(page, "cache (context): Map").hover();
  const tip = await text(page, "#tooltip");
  for (const part of ["cache (context): Map", "object · @", "retained 1.00 MiB 14.6 %",
    "self 1.00 MiB 14.6 %"])
    assert.ok(tip.includes(part), `${part} in ${tip}`);
  await page.mouse.move(5, 5);
  assert.equal(await page.locator("#tooltip").isVisible(), false);
});

pageTest("blocks lie inside of theirs and beside one another", ["many"], {}, async (page) => {
  const wrong = await page.evaluate(() => {
    const { boxes } = app.map;
    const isIn = (a, b) => a.x >= b.x - 0.1 && a.y >= b.y - 0.1
      && a.x + a.width <= b.x + b.width + 0.1 && a.y + a.height <= b.y + b.height + 0.1;
    const meet = (a, b) => a.x + 0.1 < b.x + b.width && b.x + 0.1 < a.x + a.width
      && a.y + 0.1 < b.y + b.height && b.y + 0.1 < a.y + a.height;
    return boxes.filter((one) => (one.up >= 0 && !isIn(one, boxes[one.up]))
      || boxes.some((other) => other !== one && other.up === one.up && meet(one, other))).length;
  });
  assert.equal(wrong, 0);
});

pageTest("areas are shares", ["after"], {}, async (page) => {
  const areas = await page.evaluate(() => {
    const { boxes } = app.map;
    const inner = boxes.filter((one) => one.up === 0);
    return inner.map((one) => one.width * one.height / one.bytes);
  });
  assert.ok(areas.length >= 2);
  for (const area of areas)
    assert.ok(Math.abs(area / areas[0] - 1) < 0.01);
});

pageTest("a diff's page begins with who leaks", ["before", "after"], {}, async (page) => {
  assert.equal(await page.title(), "before.heapsnapshot → after.heapsnapshot · nodiag heap");
  assert.deepEqual(await texts(page, "#facts span"), ["2.95 MiB → 6.86 MiB",
    "+3.91 MiB from the first to the last", "of the last, 3.91 MiB is new"]);
  assert.equal(await text(page, "#suspects h2"), "One leak suspect");
  assert.equal(await text(page, ".suspect h3"), "app/server.js:12 bus._events.request");
  assert.equal(await text(page, ".suspect .amount"),
    "4,000 × Function 3.91 MiB 100 % of what is new");
  assert.equal(await page.locator(".steps").count(), 0);
});

pageTest("a diff has what classes gained, with their constructors", ["before", "after"], {},
  async (page) => {
    assert.equal(await rowOf(page, "#classes tbody tr:first-child"),
      "+3.40 MiB 4,000 0 3.40 MiB 0 5.10 MiB Session app/session.js:3");
    await sortBy(page, "classes", "Constructor at");
    await sortBy(page, "classes", "Constructor at");
    assert.equal((await column(page, "classes", 8))[0], "app/session.js:3");
  });

pageTest("the map of a diff has only what is new", ["before", "after"], {}, async (page) => {
  assert.equal(await text(page, "#crumbs .size"), "3.91 MiB");
  assert.equal(await box(page, "cache").count(), 0);
  await page.locator(".suspect").getByRole("button", { name: "Show in the map" }).click();
  assert.match(await box(page, "4,000 × function onRequest").getAttribute("aria-label"),
    /, 3\.91 MiB, 100 %$/);
});

pageTest("of three snapshots each step is told", ["before", "after", "later"], {}, async (page) => {
  assert.equal(await text(page, ".steps"), "step by step +3.91 MiB, +2.93 MiB");
  assert.equal(await text(page, "#classes h2"), "Classes that grew each time");
});

pageTest("where nothing grew, the page says so", ["before", "steady"], {}, async (page) => {
  assert.equal(await text(page, "#suspects h2"), "No leak suspect");
  assert.match(await text(page, "#details"), /^Nothing is new/);
  assert.equal(await page.locator("#blocks .block").count(), 0);
  assert.equal(await text(page, "#classes .more"), "There are none.");
});

pageTest("snapshots of two processes are compared by ways, and called that", ["after", "hostile"], {}, async (page) => {
  assert.match(await text(page, "#losses"), /do not share their ids/);
});

pageTest("what was left out is said", ["many"], {}, async (page) => {
  assert.equal(await page.evaluate(() => app.data.tables[0].rows.length), 5000);
  assert.match(await text(page, "#classes .rest"),
    /^\d+ classes that retain less are not here: [\d,]+ objects, .* of their own\.$/);
  assert.match(await text(page, "#objects .rest"), /200/);
  const others = await page.evaluate(() => [...app.blocks.map.bytes.keys()]
    .flatMap((at) => app.blocks.parts(at)).filter((part) => part.what === OTHERS)
    .map((part) => app.blocks.labelOfPart(part)));
  assert.ok(others.length > 5000 && others.every((label) => /^\d+ small ones?$/.test(label)));
  const sizes = await page.evaluate(() =>
    ({ blocks: app.blocks.size, drawn: app.map.boxes.length }));
  assert.ok(sizes.blocks > 5000 && sizes.blocks <= 20000, `${sizes.blocks}`);
  assert.ok(sizes.drawn <= 1200, `${sizes.drawn}`);
  assert.ok(statSync(pageOf("many")).size < 4 << 20);
  await page.locator("#classes .more button").click();
  assert.equal(await page.locator("#classes tbody tr").count(), 550);
});

pageTest("hostile names are text", ["hostile"], {}, async (page) => {
  const names = await column(page, "classes", 5);
  for (const name of ["</script><script>document.title='owned'</script>", "<!--<script>",
    "\"'`${document.title='owned'}\\", "desrever �!", "{{data}}", "__proto__"])
    assert.ok(names.some((one) => one.includes(name)), name);
  assert.equal(await page.locator("img, svg").count(), 0);
  for (const one of await page.locator("#blocks .block").all())
    await one.focus();
  await page.fill("#strings input", "</script>");
  assert.equal(await page.locator("#strings tbody tr").count(), 1);
  await page.fill("#classes input", "__proto__");
  for (const summary of await page.locator("summary").all())
    await summary.click();
  assert.equal(await page.title(), "hostile.heapsnapshot · nodiag heap");
});

pageTest("on a phone nothing is wider than the page", ["after"], { width: 390, height: 844 },
  async (page) => {
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
    assert.equal(await page.locator("#classes tbody td.text").first().isVisible(), true);
    await sortBy(page, "classes", "Self");
    assert.equal((await column(page, "classes", 5))[0], "Session");
  });

pageTest("dark as the system is, or as chosen", ["after"], { scheme: "dark" }, async (page) => {
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  assert.equal(await background(), "rgb(15, 18, 22)");
  await page.keyboard.press("d");
  assert.equal(await background(), "rgb(246, 247, 249)");
  await page.evaluate(() => localStorage.clear());
});

pageTest("sections are a click away, help a key", ["after"], {}, async (page) => {
  await page.locator("#sections").getByRole("link", { name: "Duplicate strings" }).click();
  await page.waitForFunction(() => scrollY > 300);
  await page.keyboard.press("?");
  assert.equal(await page.locator("#help").isVisible(), true);
  await page.keyboard.press("Escape");
  assert.equal(await page.locator("#help").isVisible(), false);
});

pageTest("an address that means nothing does no harm", ["after"], { hash: "#block=999999" },
  async (page) => assert.deepEqual(await crumbs(page), ["all"]));

pageTest("everything that acts has a name", ["after"], {}, async (page) => {
  const nameless = await page.locator("button, input, a, [role=group]").evaluateAll((all) =>
    all.filter((one) => !(one.ariaLabel || one.textContent.trim())).map((one) => one.outerHTML));
  assert.deepEqual(nameless, []);
  assert.equal(await page.locator("#blocks .block").count(),
    await page.locator("#blocks").getByRole("button").count());
});
