# SPDX-License-Identifier: Apache-2.0
if ! command -v script >/dev/null; then
	echo "needs script(1) to have a terminal"
	exit 77
fi

# has_colour WHAT COMMAND: whether its output, on a terminal, has escape sequences.
has_colour() {
	if script -qec "$2" /dev/null | grep -q $'\033'; then
		echo "$1: colour"
	else
		echo "$1: plain"
	fi
}

flame="nodiag flame --force -o out.html $data/small.folded"
has_colour "on a terminal" "$flame"
has_colour "with NO_COLOR" "NO_COLOR=1 $flame"
has_colour "with an empty NO_COLOR" "NO_COLOR= $flame"
has_colour "with NO_COLOR and --color=always" "NO_COLOR=1 $flame --color=always"
has_colour "with --color=never" "$flame --color=never"
has_colour "into a file" "$flame >table; cat table"
has_colour "into a file with --color=always" "$flame --color=always >table; cat table"
