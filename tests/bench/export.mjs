// SPDX-License-Identifier: Apache-2.0

// What sending a span costs nodiag: from the ring of a process to a collector that takes all. The
// process is left out, and so is the collector: both have a core of their own, or should.

import { dirname, join } from 'node:path';

import {
  choose,
  kill,
  makeFolder,
  nodiag,
  report,
  rounds,
  runTimed,
  Series,
  startSink,
} from './lib.mjs';

const spans = 1_000_000;
const program = join(dirname(nodiag), '../tests/bench/send_spans');

const ways = {
  plain: {},
  gzip: { compression: 'gzip' },
  zstd: { compression: 'zstd' },
  'zstd, queue on disk': { compression: 'zstd', queue: true },
  'gzip, queue on disk': { compression: 'gzip', queue: true },
  'tail slow=40ms,errors': { rules: 'slow=40' },
};

const sink = await startSink();
const series = new Series();
const names = choose(ways);

for (let round = 0; round < rounds; round++) {
  for (const name of names) {
    const { compression = 'none', rules = 'all', queue } = ways[name];
    const argv = [program, spans, rules, ...(queue ? [join(makeFolder(), 'queue')] : [])];
    const { cpuSeconds, peakMb } = await runTimed(argv, {
      env: {
        OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
        OTEL_EXPORTER_OTLP_COMPRESSION: compression,
      },
    });
    series.add(`${name}/rate`, spans / cpuSeconds / 1000);
    series.add(`${name}/cost`, (cpuSeconds / spans) * 1e6);
    series.add(`${name}/peak`, peakMb);
  }
}
report(
  'export',
  'Sending spans: read, counted, chosen, encoded and sent, on one core',
  names.map((name) => ({
    way: name,
    '1000 spans/s': series.get(`${name}/rate`),
    'CPU us/span': series.get(`${name}/cost`),
    'peak RSS MB': series.get(`${name}/peak`),
  })),
);
kill(sink.child, 'SIGKILL');
