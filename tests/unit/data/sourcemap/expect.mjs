// SPDX-License-Identifier: Apache-2.0
//
// Writes the .expected file of each .map here: what @jridgewell/trace-mapping 0.3 decodes it to,
// asked before, at and behind the start of every segment. Of segments at one place the last counts.
// Run: npm i @jridgewell/trace-mapping && node expect.mjs
//
// The maps come from esbuild 0.28 (--bundle --minify), tsc 7.0 (--sourceRoot ../src) and terser 5.51
// (over tsc's output) of one small TypeScript program; sections.map is made of two of them.

import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { AnyMap, FlattenMap, decodedMappings } from "@jridgewell/trace-mapping";

function describe(json, map, segments, line, column) {
	const s = segments.findLast(([start]) => start <= column);

	if (!s || s.length === 1)
		return `${line + 1} ${column + 1} -`;
	const source = (json.sourceRoot ?? "") + map.sources[s[1]];
	const name = s.length === 5 ? map.names[s[4]] : "-";
	return `${line + 1} ${column + 1} ${source} ${s[2] + 1} ${s[3] + 1} ${name}`;
}

for (const file of readdirSync(".").filter(name => name.endsWith(".map"))) {
	const json = JSON.parse(readFileSync(file, "utf8"));
	const map = json.sections ? new FlattenMap(json) : new AnyMap(json);
	const found = decodedMappings(map).flatMap((segments, line) => {
		const columns = new Set(segments.flatMap(([c]) => [Math.max(c - 1, 0), c, c + 1]).concat(0));

		return [...columns]
			.sort((a, b) => a - b)
			.map(column => describe(json, map, segments, line, column));
	});
	writeFileSync(file.replace(/map$/, "expected"), found.join("\n") + "\n");
}
