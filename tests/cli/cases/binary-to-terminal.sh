# SPDX-License-Identifier: Apache-2.0
if ! command -v script >/dev/null; then
	echo "needs script(1) to have a terminal"
	exit 77
fi
script -qec "nodiag flame -f pprof -o - $data/small.folded" /dev/null | tr -d '\r'
echo "exit ${PIPESTATUS[0]}"
nodiag flame -f pprof -o - "$data/small.folded" | nodiag flame -f folded -o - /dev/stdin
