# SPDX-License-Identifier: Apache-2.0
# The help, the manual and the completion know the same commands, options and formats.
. "$data/complete.sh"

# same WHAT ONE OTHER: two lists, of which neither may have more.
same() {
	if [ ! -s "$2" ]; then
		echo "$1: nothing found in $2"
	else
		diff -u "$2" "$3" && echo "$1: the same"
	fi
}

# tags SECTION PAGE: the words that the section explains, one line for each, without markup.
tags() {
	sed -n "/^\.SH $1\$/,/^\.SH /{/^\.TP/{n;p}}" "$2" | sed 's/\\f[BIR]//g; s/\\//g'
}

nodiag help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' | sort >commands-help
tags COMMANDS "$root/docs/man/nodiag.1" | grep -oE '^[a-z]+' | sort >commands-man
offered nodiag '' | grep -v '^-' >commands-completion
same "commands in the manual" commands-help commands-man
same "commands in the completion" commands-help commands-completion

grep -vx help commands-help | while read -r command; do
	# The target that is not there keeps nodiag from sampling somebody, should it not see --help.
	nodiag "$command" --help none >help || exit
	sed -n 's/^ \{2,6\}\(-.*\)/\1/p' help | sed 's/  .*//' |
		grep -oE '(^| )--?[a-z?][a-z-]*' | tr -d ' ' | sort >"$command-help"
	tags OPTIONS "$root/docs/man/nodiag-$command.1" | grep -oE '(^| )--?[a-z?][a-z-]*' |
		tr -d ' ' | sort >"$command-man"
	offered nodiag "$command" - | tr -d = | sort >"$command-completion"
	same "options of $command in the manual" "$command-help" "$command-man"
	grep -vx -e '-?' "$command-help" >"$command-typed"
	same "options of $command in the completion" "$command-typed" "$command-completion"
done

nodiag flame -f none 2>&1 | sed -n 's/^hint: //p' | sed 's/ or /, /; s/, /\n/g' | sort >formats-hint
tags FORMATS "$root/docs/man/nodiag-flame.1" | sort >formats-man
offered nodiag flame -f '' >formats-completion
same "formats in the manual" formats-hint formats-man
same "formats in the completion" formats-hint formats-completion
