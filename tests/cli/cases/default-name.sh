# SPDX-License-Identifier: Apache-2.0
for format in html svg folded pprof speedscope cpuprofile json; do
	nodiag flame -f "$format" "$data/small.folded" | tail -n 1 | sed 's/[0-9]\{8\}-[0-9]\{6\}/TIME/'
done
find . -type f -printf '%f\n' | sed 's/[0-9]\{8\}-[0-9]\{6\}/TIME/' | sort
