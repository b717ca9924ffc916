/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Routes of express 4 and 5, and of what is built on it. Its request knows the route that answered,
 * but of the routers around it only which path they took: so the route is looked for in them, and
 * what is found is kept.
 */

const ROUTERS_MAX = 16; /* one in the other */

const placesOf = new WeakMap(); /* by a route: { ways, prefix } */

function nameRoute(path) {
  if (Array.isArray(path))
    return path.map(String).join();
  return typeof path === "string" || path instanceof RegExp ? String(path) : undefined;
}

/* All ways from a router to the route, each as the layers of the routers in between. */
function findWays(stack, route, way, found) {
  for (const layer of stack)
    if (layer.route === route)
      found.push(way);
    else if (way.length < ROUTERS_MAX && Array.isArray(layer.handle?.stack))
      findWays(layer.handle.stack, route, [...way, layer], found);
  return found;
}

/* What a layer makes of a path: the part that it takes, and the values in that. */
function matchLayer(layer, path) {
  if (layer.slash || layer.regexp?.fast_slash)
    return { path: "", params: {} };
  if (layer.matchers !== undefined)
    return layer.matchers.reduce((found, match) => found || match(path), false);
  const found = layer.regexp.exec(path);
  return found && {
    path: found[0],
    params: Object.fromEntries(layer.keys.map(({ name }, i) => [name, found[i + 1]])),
  };
}

/*
 * What a layer was made for, as far as it takes `path`: a part of which another value comes out
 * when it is changed stands for that value.
 */
function describeLayer(layer, path, { path: taken, params }) {
  const parts = taken.replace(/\/$/, "").split("/");
  const names = Object.keys(params);
  if (names.some((name) => typeof params[name] !== "string" || params[name].includes("/")))
    return undefined;
  const described = parts.map((part, i) => {
    if (names.length === 0 || part === "")
      return part;
    const changed = [...parts.slice(0, i), `1${part}`, ...parts.slice(i + 1)].join("/");
    const other = matchLayer(layer, changed + path.slice(taken.length));
    const name = other && names.find((key) => other.params[key] !== params[key]);
    return name ? `:${name}` : part;
  });
  return described.join("/");
}

/* Of a way that does not lead along the path there is none. */
function describeWay(way, path) {
  let prefix = "";
  for (const layer of way) {
    const found = matchLayer(layer, path);
    const part = found && describeLayer(layer, path, found);
    if (typeof part !== "string")
      return undefined;
    prefix += part;
    path = path.slice(found.path.length);
    if (!path.startsWith("/"))
      path = `/${path}`;
  }
  return prefix;
}

/* Without what the applications around this one took. */
function cutMounts(path, mounts) {
  const rest = path.split("/").slice(mounts.split("/").length);
  return `/${rest.join("/")}`;
}

/* undefined where it cannot be told, which is better than one that is wrong. */
function findPrefix(request, stack) {
  const { app, route } = request;
  const places = placesOf.get(route) ?? { ways: findWays(stack, route, [], []), prefix: undefined };
  placesOf.set(route, places);
  if (places.prefix !== undefined)
    return places.prefix;
  const mounts = app.parent ? app.path() : "";
  let [path] = request.originalUrl.split("?");
  if (mounts !== "")
    path = cutMounts(path, mounts);
  for (const way of places.ways) {
    const prefix = describeWay(way, path);
    if (prefix === undefined)
      continue;
    if (places.ways.length === 1)
      places.prefix = mounts + prefix;
    return mounts + prefix;
  }
  return undefined;
}

function findExpressRoute(request) {
  const { app } = request;
  const own = nameRoute(request.route?.path);
  if (own === undefined)
    return undefined;
  const stack = app && (app._router ?? app.router)?.stack;
  /* restify, and routers that are used without express. */
  if (!Array.isArray(stack))
    return typeof request.baseUrl === "string" ? request.baseUrl + own : own;
  const prefix = findPrefix(request, stack);
  if (prefix === undefined)
    return undefined;
  return prefix !== "" && own === "/" ? prefix : prefix + own;
}
