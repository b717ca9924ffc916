// SPDX-License-Identifier: Apache-2.0

// Spans out of OTLP's bytes, for tests that take more of them than protoc has time for.

import http from 'node:http';
import { gunzipSync } from 'node:zlib';

/** The fields of a protobuf message: `[number, value]`, bytes as a Buffer. */
function* fieldsOf(bytes) {
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const key = Number(varint());
    const type = key & 7;
    if (type === 0) yield [key >> 3, Number(varint())];
    else if (type === 2) {
      const size = Number(varint());
      yield [key >> 3, bytes.subarray(at, (at += size))];
    } else {
      yield [key >> 3, type === 1 ? bytes.readBigUInt64LE(at) : bytes.readUInt32LE(at)];
      at += type === 1 ? 8 : 4;
    }
  }
}

/** The values of a repeated field. */
function valuesOf(bytes, number) {
  return [...fieldsOf(bytes)].filter(([key]) => key === number).map(([, value]) => value);
}

/** `[key, value]` of a KeyValue whose value is a string or an integer. */
function readAttribute(bytes) {
  const { 1: key, 2: value } = Object.fromEntries(fieldsOf(bytes));
  const [[number, content]] = fieldsOf(value);
  return [key.toString(), number === 1 ? content.toString() : content];
}

function readSpan(bytes) {
  const fields = Object.fromEntries(fieldsOf(bytes));
  return {
    traceId: fields[1].toString('hex'),
    spanId: fields[2].toString('hex'),
    parentId: fields[4]?.toString('hex') ?? '',
    name: fields[5].toString(),
    kind: fields[6],
    start: fields[7],
    end: fields[8],
    attributes: Object.fromEntries(valuesOf(bytes, 9).map(readAttribute)),
  };
}

/** The spans of an ExportTraceServiceRequest. */
export function readSpans(bytes) {
  const scopes = valuesOf(bytes, 1).flatMap((resource) => valuesOf(resource, 2));
  return scopes.flatMap((scope) => valuesOf(scope, 2)).map(readSpan);
}

/** A collector that keeps what `keep(span)` is called with, and nothing else. */
export function collectSpans(keep) {
  const server = http.createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const packed = request.headers['content-encoding'] === 'gzip';
    if (request.url === '/v1/traces') readSpans(packed ? gunzipSync(body) : body).forEach(keep);
    response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
  });
  return new Promise((done) => {
    server.listen(0, '127.0.0.1', () => {
      done({ url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() });
    });
  });
}
