/* SPDX-License-Identifier: Apache-2.0 */
"use strict";

/*
 * The header: what was recorded, how, and what is missing from it.
 */

const MEASURES = {
  cpu: "CPU time",
  wall: "wall-clock time",
  offcpu: "time off CPU",
  alloc_space: "allocated",
  inuse_space: "in use",
};

function formatPeriod({ info, unit }) {
  if (!(info.period > 0))
    return null;
  if (unit === "nanoseconds")
    return `${formatCount(1e9 / info.period)} Hz`;
  return unit === "bytes" ? `every ${formatWeight(info.period, unit)}` : null;
}

function formatStart(milliseconds) {
  return new Date(milliseconds).toLocaleString([], { dateStyle: "medium", timeStyle: "medium" });
}

function showAbout(profile) {
  const { info, total, unit, samples, losses } = profile;
  const measure = MEASURES[info.sampleType];
  const title = printable(info.title || "Flame graph");
  byId("title").textContent = title;
  byId("command").textContent = byId("command").title = printable(info.command ?? "");
  document.title = `${title} · nodiag flame`;
  const facts = [
    info.runtime,
    info.sampler,
    info.start > 0 ? formatStart(info.start) : null,
    info.duration > 0 ? formatWeight(info.duration, "nanoseconds") : null,
    formatNumber(samples, "sample"),
    measure && total > 0 ? `${formatWeight(total, unit)} ${measure}` : null,
    formatPeriod(profile),
  ];
  fill(byId("facts"), ...facts.filter((fact) => fact)
    .map((fact) => element("span", {}, printable(fact))));
  fill(byId("losses"), ...losses.map(([text, count]) =>
    element("span", {}, `${formatCount(count)} ${text}`)));
  byId("losses").hidden = losses.length === 0;
}

/* The page of a profile that has nothing to draw. */
function showEmpty({ info, losses, samples }) {
  let why = "There is nothing in this profile.";
  if (samples > 0)
    why = "None of the samples has a stack.";
  else if (losses.length > 0)
    why = "Nothing that was recorded could be kept; the reasons are above.";
  else if (info.sampleType === "cpu")
    why = "Nothing ran on a CPU while this was recorded. That is normal for a server that waits:"
      + " record again under load or for longer, or include waiting with --idle.";
  byId("empty-title").textContent = samples > 0 ? "No stacks" : "No samples";
  byId("empty-why").textContent = why;
  document.body.dataset.mode = "empty";
}
