#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# usage: tests/tools/capture_v8.sh BUILD VERSION NODE
#
# Make the fixtures of one version of Node anew, with the tools of the folder BUILD:
# tests/unit/data/v8dbg-VERSION.txt, v8-VERSION.samples.gz and v8-VERSION.expected. Compare the last
# with tests/unit/data/v8-program.cjs before you believe it. Needs root.
set -euo pipefail

build=$(realpath "$1") version=$2 node=$(realpath "$3")
cd "$(dirname "$0")/../unit/data"
data=$PWD
samples=$data/v8-$version.samples.gz

# The same each time: it is in the names of the functions.
folder=/tmp/nodiag-capture
mkdir "$folder"
trap 'rm -r "$folder"' EXIT
cp v8-program.cjs "$folder/program.cjs"
cd "$folder"

# capture COUNT [FLAG]...: samples of a node with these flags, and without our environment.
capture() {
	local count=$1
	shift
	env -i "$node" "$@" program.cjs &
	local pid=$!
	sleep 3
	"$build/tests/tools/capture_v8" "$pid" "$count" "$samples" || true
	kill "$pid"
	wait "$pid" 2>/dev/null || true
}

line=${version%%.*}
lower=(--no-opt)
# Before 24, --no-opt is the end of Maglev too; in 18 there is none.
if [ "$line" -ge 20 ]; then lower+=(--no-maglev); fi

"$build/tests/tools/dump_v8dbg" "$node" >"$data/v8dbg-$version.txt"
rm -f "$samples"
{
	capture 20
	capture 10 "${lower[@]}" --no-sparkplug
	capture 10 "${lower[@]}" --sparkplug --always-sparkplug
	if [ "$line" -ge 24 ]; then capture 8 --no-opt --maglev; fi
} >"$data/v8-$version.expected"
