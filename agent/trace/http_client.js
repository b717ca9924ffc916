/* SPDX-License-Identifier: Apache-2.0 */

/* Requests of HTTP/1 that go out. */

/* Versions whose ClientRequest tells of itself before its head is made. */
const CREATED = [[22, 12], [23, 2]];

function endClient(span) {
  const { request } = span;
  const response = request.res;
  const { remoteAddress, remotePort } = request.socket ?? {};
  span.peer = remoteAddress;
  /* Where the head was given as a list, the header "Host" is not known. */
  if (remotePort !== undefined && !request.hasHeader("host") && span.host === request.host)
    span.host = `${span.host}:${remotePort}`;
  if (span.error === undefined && !response?.complete && !request.upgradeOrConnect)
    span.flags |= ABORTED;
  span.end(response?.statusCode ?? 0,
    response ? response.httpVersionMajor * 10 + response.httpVersionMinor : 0);
}

function beginClient(request) {
  const span = new Span(CLIENT, findCurrent());
  span.request = request;
  span.flags = request.protocol === "https:" ? TLS : 0;
  span.method = request.method;
  span.target = request.path;
  span.host = request.getHeader("host") ?? request.host;
  span.begin();
  request.on(errorMonitor, guard((error) => {
    span.error = nameError(error);
  }));
  request.once("close", guard(() => endClient(span)));
  return span;
}

/*
 * A head that was given as a list is made already, and not sent yet. One with "Expect" is even
 * written, to what waits for the socket.
 */
function addToHead(request, span) {
  const head = request._header;
  const waiting = request._headerSent ? request.outputData[0] : undefined;
  if (!head?.endsWith("\r\n\r\n") || (request._headerSent && waiting?.data !== head))
    return;
  const headers = span.headers((wanted) => hasLine(head, wanted));
  const lines = headers.map(([key, value]) => `${key}: ${value}\r\n`).join("");
  request._header = `${head.slice(0, -2)}${lines}\r\n`;
  if (waiting !== undefined) {
    waiting.data = request._header;
    request.outputSize += lines.length;
  }
}

/* Whether a head, as it is sent, has that header. */
function hasLine(head, wanted) {
  return new RegExp(`^${wanted}:`, "mi").test(head);
}

/* Whether a list of names and values, one after the other, has that header. */
function isListed(list, wanted) {
  return list.some((key) => typeof key === "string" && key.toLowerCase() === wanted);
}

function setHeaders(request, headers) {
  for (const [key, value] of headers)
    request.setHeader(key, value);
}

function onClientCreated({ request }) {
  const span = beginClient(request);
  if (request.headersSent)
    addToHead(request, span);
  else
    setHeaders(request, span.headers((wanted) => request.hasHeader(wanted)));
}

/* What _storeHeader() is to be called with: its `headers` may be of four kinds. */
function addToHeaders(request, given, span) {
  if (!Array.isArray(given)) {
    const added = span.headers((wanted) => request.hasHeader(wanted));
    if (!given)
      return Object.fromEntries(added);
    setHeaders(request, added);
    return given;
  }
  if (Array.isArray(given[0]))
    return [...given, ...span.headers((wanted) => given.some(([key]) => isListed([key], wanted)))];
  return [...given, ...span.headers((wanted) => isListed(given, wanted)).flat()];
}

/* Where no channel tells of a request in time, its head is the first that all have in common. */
function wrapClient(http) {
  const prototype = http.ClientRequest.prototype;
  const original = prototype._storeHeader;
  function _storeHeader(firstLine, headers) {
    try {
      if (isOn)
        headers = addToHeaders(this, headers, beginClient(this));
    } catch {
      tell();
    }
    return original.call(this, firstLine, headers);
  }
  Object.defineProperty(prototype, "_storeHeader",
    { value: _storeHeader, writable: true, configurable: true });
  cleanups.push(() => {
    if (Object.getOwnPropertyDescriptor(prototype, "_storeHeader")?.value === _storeHeader)
      delete prototype._storeHeader;
  });
}

function tellsOfClients() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  return major > 23 || CREATED.some(([line, from]) => major === line && minor >= from);
}

function followClients(diagnostics) {
  if (tellsOfClients())
    listen(diagnostics, "http.client.request.created", guard(onClientCreated));
  else
    wrapClient(load("http"));
}
