/* SPDX-License-Identifier: Apache-2.0 */

/* Routes, as the frameworks know them. */

/* As express, restify and what is built on them say it; others are handled by their channels. */
function findRoute(request) {
  const path = request.route?.path;
  if (typeof path !== "string")
    return undefined;
  const base = request.baseUrl;
  return typeof base === "string" ? base + path : path;
}

function onFastify({ request, route }) {
  const span = findServerSpan(request.raw);
  if (span !== undefined && typeof route?.url === "string")
    span.route = route.url;
}

function followFrameworks(diagnostics) {
  listen(diagnostics, "tracing:fastify.request.handler:start", guard(onFastify));
}
