#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# usage: tests/cli/run.sh NODIAG CASE.sh
#
# Run a case in an empty folder, and compare what it prints and its exit status with CASE.stdout,
# CASE.stderr and CASE.exit; without such a file it must be nothing, or 0. The case finds nodiag in
# its PATH, the fixtures in $data and the source tree in $root. One that cannot run here says why
# and exits with 77. With UPDATE=1 the files are written instead: read the diff before you commit.
set -euo pipefail

if [ $# -ne 2 ]; then
	echo "usage: tests/cli/run.sh NODIAG CASE.sh" >&2
	exit 2
fi
bin=$(dirname "$(realpath "$1")")
case=$(realpath "$2")
expected=${case%.sh}
data=$(dirname "$(dirname "$case")")/data
root=$(realpath "$data/../../..")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/work" "$folder/got"

status=0
(
	cd "$folder/work"
	env -u NO_COLOR -u ARGP_HELP_FMT PATH="$bin:$PATH" LC_ALL=C data="$data" root="$root" \
		bash "$case"
) <"/dev/null" >"$folder/got/stdout" 2>"$folder/got/stderr" || status=$?
if [ "$status" -eq 77 ]; then
	cat "$folder/got/stdout"
	exit 77
fi
echo "$status" >"$folder/got/exit"

# default NAME: what is expected where there is no file.
default() {
	if [ "$1" = exit ]; then
		echo 0
	fi
}

# update NAME: make the file of what was got, or remove it where the default does.
update() {
	if cmp -s "$folder/got/$1" <(default "$1"); then
		rm -f "$expected.$1"
	else
		cp "$folder/got/$1" "$expected.$1"
	fi
}

failed=0
for name in stdout stderr exit; do
	if [ -n "${UPDATE:-}" ]; then
		update "$name"
	elif [ -f "$expected.$name" ]; then
		diff -u --label "expected $name" --label "$name" "$expected.$name" \
			"$folder/got/$name" || failed=1
	else
		diff -u --label "expected $name" --label "$name" <(default "$name") \
			"$folder/got/$name" || failed=1
	fi
done
exit "$failed"
