/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A headless Chromium that may look at files only, and the pages made for it.
 */

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const CHROMIUM = process.env.NODIAG_CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync"];

function skip(reason) {
  console.log(`skipped: ${reason}`);
  process.exit(77);
}

async function playwright() {
  try {
    return await import("playwright-core");
  } catch (error) {
    if (error.code !== "ERR_MODULE_NOT_FOUND")
      throw error;
    return skip("playwright-core is not installed; run 'npm ci' in tests/web");
  }
}

/* A Browser, or the end of the program with 77 where there is none; close() it. */
export async function openBrowser(renderFixture) {
  if (!existsSync(CHROMIUM))
    skip(`there is no ${CHROMIUM}`);
  const { chromium } = await playwright();
  const folder = mkdtempSync(join(tmpdir(), "nodiag-web-"));
  const context = await chromium.launchPersistentContext(join(folder, "profile"), {
    executablePath: CHROMIUM, args: FLAGS, headless: true,
  });
  return new Browser(context, folder, renderFixture);
}

class Browser {
  constructor(context, folder, renderFixture) {
    this.context = context;
    this.folder = folder;
    this.renderFixture = renderFixture;
  }

  async close() {
    await this.context.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /* The file of a fixture in a format. */
  render(fixture, format) {
    const file = join(this.folder, `${fixture}.${format}`);
    if (!existsSync(file))
      writeFileSync(file, execFileSync(this.renderFixture, [fixture, format],
        { maxBuffer: 1 << 28 }));
    return file;
  }

  open(fixture, options) {
    return this.openFile(this.render(fixture, "html"), options);
  }

  /* Opens a page; page.trouble collects errors and requests that it should not make. */
  async openFile(file, { hash = "", scheme = "light", width = 1280, height = 720 } = {}) {
    const page = await this.context.newPage();
    page.trouble = [];
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type()))
        page.trouble.push(message.text());
    });
    page.on("pageerror", (error) => page.trouble.push(String(error)));
    page.on("dialog", (dialog) => page.trouble.push(`dialog ${dialog.message()}`));
    page.on("request", (request) => {
      if (!/^(file|data):/.test(request.url()))
        page.trouble.push(`request for ${request.url()}`);
    });
    await page.emulateMedia({ colorScheme: scheme });
    await page.setViewportSize({ width, height });
    await page.goto(pathToFileURL(file) + hash);
    return page;
  }
}
