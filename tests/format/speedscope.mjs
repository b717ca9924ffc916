/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Four of nodiag's formats opened in speedscope itself, in a browser: what its sandwich table says
 * must be what tests/known_profile.h says. And its own format against its own schema.
 */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { dirname, extname, join } from "node:path";
import { test } from "node:test";

import { EVIL_NAME, KNOWN, PERIOD_NS, SAMPLES, convert, need, skip } from "./lib.mjs";

const CHROMIUM = process.env.NODIAG_CHROMIUM ?? "/usr/bin/chromium";
/* speedscope draws with WebGL, which a machine without a graphics card does in software. */
const FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader",
  "--enable-unsafe-swiftshader", "--disable-quic", "--disable-background-networking"];
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };

const { default: Ajv } = await need("ajv");
const app = join(findPackage("speedscope"), "dist/release");

function findPackage(name) {
  try {
    return dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
  } catch {
    return skip(`${name} is not installed; run 'npm ci' in tests/format`);
  }
}

test("speedscope's schema accepts its format", () => {
  const schema = JSON.parse(readFileSync(join(app, "file-format-schema.json")));
  const validate = new Ajv({ strict: false }).compile(schema);
  for (const input of ["known", "known-tree", "large"]) {
    const file = JSON.parse(convert(input, "speedscope"));
    assert.ok(validate(file), JSON.stringify(validate.errors));
    for (const profile of file.profiles) {
      assert.equal(profile.samples.length, profile.weights.length);
      assert.equal(profile.weights.reduce((sum, weight) => sum + weight, 0), profile.endValue);
      assert.ok(profile.samples.flat().every((frame) => frame in file.shared.frames));
    }
  }
});

test("each thread is a profile, laid out in time", () => {
  const file = JSON.parse(convert("known", "speedscope"));
  assert.deepEqual(file.profiles.map(({ name }) => name), ["thread 4242", "thread 4243"]);
  assert.equal(file.activeProfileIndex, 0);
  const main = file.profiles[0];
  const gap = main.samples.findIndex((stack) => !stack.length);
  assert.equal(main.weights[gap], 500_000_000);
  assert.equal(main.weights.slice(0, gap).reduce((sum, weight) => sum + weight, 0), 500_000_000);
  assert.equal(main.endValue, 91 * PERIOD_NS + 500_000_000);
});

/* Opens a profile in speedscope: the rows of its sandwich table, by name, in samples of 10 ms. */
class Speedscope {
  static async start() {
    const { chromium } = await need("playwright-core");
    const speedscope = new Speedscope();
    speedscope.files = new Map();
    speedscope.browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
    speedscope.server = createServer((request, response) => speedscope.serve(request, response));
    await new Promise((resolve) => speedscope.server.listen(0, "127.0.0.1", resolve));
    return speedscope;
  }

  async stop() {
    await this.browser.close();
    this.server.close();
  }

  serve(request, response) {
    const path = new URL(request.url, "http://localhost").pathname;
    try {
      const body = this.files.get(path) ?? readFileSync(join(app, path));
      const type = TYPES[extname(path)] ?? "application/octet-stream";
      response.writeHead(200, { "content-type": type }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  }

  async open(file, bytes) {
    this.files.set(`/profiles/${file}`, bytes);
    const page = await this.browser.newPage({ viewport: { width: 1400, height: 2000 } });
    await page.goto(`http://127.0.0.1:${this.server.address().port}/index.html` +
      `#profileURL=${encodeURIComponent(`/profiles/${file}`)}&view=sandwich`);
    await page.waitForSelector("td:nth-child(3)");
    const rows = await page.$$eval("tr", (trs) =>
      trs.map((tr) => [...tr.querySelectorAll("td")].map((td) => td.textContent)));
    await page.close();
    return new Map(rows.filter((cells) => cells.length === 3)
      .map(([total, self, name]) => [name, { self: inSamples(self), total: inSamples(total) }]));
  }
}

/* "300.00ms (30%)" is 30, and so is "30 (30%)". */
function inSamples(text) {
  const [, number, unit] = /^([\d.]+)(s|ms|µs|ns|) /.exec(text);
  const ms = { s: 1000, ms: 1, "µs": 1e-3, ns: 1e-6, "": 10 }[unit];
  return Math.round(Number(number) * ms) / 10;
}

/* `rename` gives the name that a known function has in speedscope, or null where it has none. */
function check(rows, rename) {
  for (const known of KNOWN) {
    const name = rename(known);
    if (name !== null)
      assert.deepEqual([name, rows.get(name)],
        [name, { self: known.self, total: known.total }]);
  }
  assert.equal([...rows.values()].reduce((sum, row) => sum + row.self, 0), SAMPLES);
}

const application = existsSync(CHROMIUM) ? {} : { skip: `there is no ${CHROMIUM}` };

test("speedscope itself", application, async (t) => {
  const speedscope = await Speedscope.start();
  t.after(() => speedscope.stop());

  await t.test("opens its format", async () => {
    const rows = await speedscope.open("known.json", convert("known-tree", "speedscope"));
    check(rows, ({ name }) => name);
  });

  await t.test("opens .cpuprofile", async () => {
    const rows = await speedscope.open("known.cpuprofile", convert("known", "cpuprofile"));
    check(rows, ({ name }) => name === "(anonymous)" ? "(anonymous server.mjs:1)" : name);
  });

  await t.test("opens folded stacks", async () => {
    const rows = await speedscope.open("known.txt", convert("known", "folded"));
    const special = {
      do_syscall_64: "do_syscall_64_[k]",
      ArrayPrototypeSort: "ArrayPrototypeSort_[j]",
      [EVIL_NAME]: "e:v i l  [31m\ufffd</script>&\"\\é 12 (/app/€:x  .js:2:1)_[j]",
    };
    check(rows, ({ name, file, line, column }) =>
      special[name] ?? (line ? `${name} (${file}:${line}:${column})_[j]` : name));
  });

  /* It takes of a location the outermost line only, so inlined calls show as their caller. */
  await t.test("opens pprof", async () => {
    const rows = await speedscope.open("known.pb.gz", convert("known", "pprof"));
    check(rows, ({ name }) => {
      if (name === "tiny" || name === "hot")
        return null;
      return name === "(anonymous)" ? "(anonymous:L#1:C#1)" : name;
    });
    assert.deepEqual(rows.get("hot"), { self: 59, total: 64 });
  });
});
