# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Sourced by cases: what the shell offers, without a shell to press Tab in.

# shellcheck disable=SC1091,SC2154 # run.sh sets root
. "$root/docs/completion/nodiag.bash"

# Only exists while a real shell completes.
compopt() {
	:
}

# offered WORD...: print what is offered for the last word, sorted.
offered() {
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	_nodiag
	if [[ ${#COMPREPLY[@]} -gt 0 ]]; then
		printf '%s\n' "${COMPREPLY[@]}" | sort
	fi
}
