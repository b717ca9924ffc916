/* SPDX-License-Identifier: Apache-2.0 */
"use strict";

/* Amounts and paths as people read them. */

const TIMES = [[1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]];
const SIZES = [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"], [1, "B"]];

function formatCount(value) {
  return Math.round(value).toLocaleString("en-US");
}

/* Three significant digits in the largest unit that leaves a whole part. */
function formatScaled(value, steps) {
  const [size, name] = steps.find(([step]) => value >= step) ?? steps.at(-1);
  const scaled = value / size;
  const digits = size === 1 || scaled >= 99.95 ? 0 : scaled >= 9.995 ? 1 : 2;
  return `${scaled.toFixed(digits)} ${name}`;
}

function formatWeight(value, unit) {
  if (value === 0)
    return "0";
  if (unit === "bytes")
    return formatScaled(value, SIZES);
  if (unit !== "nanoseconds")
    return formatCount(value);
  if (value < 120e9)
    return formatScaled(value, TIMES);
  const seconds = Math.floor(value / 1e9);
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, "0")} s`;
}

function formatPercent(part, whole) {
  const percent = whole > 0 ? part / whole * 100 : 0;
  if (percent > 0 && percent < 0.01)
    return "<0.01 %";
  return `${percent.toFixed(percent >= 99.95 || percent === 0 ? 0 : percent >= 9.995 ? 1 : 2)} %`;
}

/* "1 sample", "12 samples" */
function formatNumber(count, noun) {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/* Characters that are invisible, or that turn the text around them, as a visible mark. */
function printable(text) {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    "\ufffd");
}

function plainPath(file) {
  return file.startsWith("file://") ? file.slice(7) : file;
}

/* The folder that all of `paths` share, with its last slash; "" when there is none. */
function commonFolder(paths) {
  let common = null;
  for (const path of paths) {
    const folder = path.slice(0, path.lastIndexOf("/") + 1);
    if (common === null)
      common = folder;
    while (!folder.startsWith(common))
      common = common.slice(0, common.lastIndexOf("/", common.length - 2) + 1);
  }
  return common ?? "";
}

/*
 * A file's path without what says nothing: everything up to the package for npm, the project's
 * folder for the application, the folder for a program or library.
 */
function shortPath(file, kind, root) {
  const path = plainPath(file);
  const npm = path.lastIndexOf("node_modules/");
  if (kind === "npm" && npm >= 0)
    return path.slice(npm + "node_modules/".length);
  if (root.length > 1 && path.startsWith(root))
    return path.slice(root.length);
  if (kind === "native" || kind === "builtin")
    return path.slice(path.lastIndexOf("/") + 1);
  return path;
}
