#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# usage: compile.sh
#
# Compile src/hot.ts into dist, with its source map in a file and inline.
set -euo pipefail
cd "$(dirname "$0")"

tsc() {
	npx --yes --package typescript@5.9.3 tsc --target es2022 --module commonjs --removeComments \
		--outDir dist "$@" src/hot.ts
}

tsc --inlineSourceMap
mv dist/hot.js dist/hot-inline.js
tsc --sourceMap
