# SPDX-License-Identifier: Apache-2.0
#
# bash completion for nodiag: commands, options with their words, process ids, files.

# The ids of Node.js processes: those whose executable is called node.
_nodiag_pids() {
	local pid link
	find /proc/[0-9]*/exe -maxdepth 0 -lname '*/node*' -printf '%h %l\n' 2>/dev/null |
		while read -r pid link; do
			link=${link##*/}
			[[ $link != node* ]] || echo "${pid#/proc/}"
		done
}

# Offer words of a list, options, files or targets; $current is what is there so far.
_nodiag_words() {
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$current")
}

_nodiag_options() {
	_nodiag_words "$1"
	[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace
}

# $1 is -f, or -d for folders only.
_nodiag_files() {
	mapfile -t COMPREPLY < <(compgen "$1" -- "$current")
	compopt -o filenames
}

# Process ids and files; the arguments are further options of compgen.
_nodiag_targets() {
	mapfile -t COMPREPLY < <(compgen -W "$(_nodiag_pids)" -- "$current"
		compgen -f "$@" -- "$current")
	compopt -o filenames
}

_nodiag_flame() {
	local formats='html svg folded pprof speedscope cpuprofile json'
	local options='-d --duration= -r --rate= --threads --by= --kernel --no-kernel --idle
		--source-maps -f --format= -o --output= --force --color= --help --usage'

	case $previous in
	-d | --duration) _nodiag_words '10s 30s 1m 5m' ;;
	-r | --rate) _nodiag_words '99 499 999' ;;
	-f | --format) _nodiag_words "$formats" ;;
	--by) _nodiag_words 'route' ;;
	--color) _nodiag_words 'auto always never' ;;
	-o | --output) _nodiag_files -f ;;
	*)
		if [[ $current == -* ]]; then
			_nodiag_options "$options"
		else
			_nodiag_targets
		fi
		;;
	esac
}

_nodiag_record() {
	local options='-d --duration= -r --rate= --threshold= --async --trace --kernel --no-kernel -o
		--output= --force --help --usage'

	case $previous in
	-d | --duration) _nodiag_words '10s 1m 10m 1h' ;;
	-r | --rate) _nodiag_words '99 499 999' ;;
	--threshold) _nodiag_words '20ms 50ms 100ms' ;;
	-o | --output) _nodiag_files -f ;;
	*)
		if [[ $current == -* ]]; then
			_nodiag_options "$options"
		else
			_nodiag_words "$(_nodiag_pids)"
		fi
		;;
	esac
}

_nodiag_lag() {
	local options='-d --duration= -l --live --async --trace --startup --threshold= --color=
		--fail-if= --json --help --usage'

	case $previous in
	-d | --duration) _nodiag_words '10s 30s 1m 5m' ;;
	--threshold) _nodiag_words '20ms 50ms 100ms' ;;
	--color) _nodiag_words 'auto always never' ;;
	--fail-if)
		_nodiag_words 'mean= p50= p90= p99= p99.9= max='
		compopt -o nospace
		;;
	*)
		if [[ $current == -* ]]; then
			_nodiag_options "$options"
		else
			_nodiag_targets -X '!*.nd'
		fi
		;;
	esac
}

_nodiag_heap() {
	local options='--timeout= --child-memory= --redact --in-process --worker= --near-limit'
	options+=' --on-signal= --every= --grown= --keep= --fail-if= --ignore= -f --format='
	options+=' --class= --type= --min-self= --min-retained= --max-distance= --retained-by= --sort='
	options+=' -o --output= --force --limit= --live --color= --json --help --usage'
	local questions='snapshot summary diff retainers paths show query convert'

	case $previous in
	heap)
		if [[ $current != -* ]]; then
			_nodiag_words "$questions"
			return
		fi
		;;&
	snapshot | --live)
		if [[ $current != -* ]]; then
			_nodiag_words "$(_nodiag_pids)"
			return
		fi
		;;&
	-o | --output) _nodiag_files -f ;;
	-f | --format) _nodiag_words 'text json html nd heapsnapshot' ;;
	--timeout) _nodiag_words '1m 5m 15m' ;;
	--child-memory) _nodiag_words '1G 4G 16G' ;;
	--fail-if) _nodiag_words '1M 10M 100M' ;;
	--color) _nodiag_words 'auto always never' ;;
	--type) _nodiag_words 'object closure string array native code' ;;
	--sort) _nodiag_words 'retained self distance id' ;;
	--ignore | --limit | --class | --min-* | --max-distance | --retained-by) ;;
	*)
		if [[ $current == -* ]]; then
			_nodiag_options "$options"
		else
			_nodiag_files -f
		fi
		;;
	esac
}

_nodiag_trace() {
	local options='-d --duration= -l --live --spans= --slow= --route= --color= --json --help --usage'

	case $previous in
	-d | --duration) _nodiag_words '10s 30s 1m 5m' ;;
	--spans) _nodiag_words 'all dns net tls fs child_process worker' ;;
	--slow) _nodiag_words '100ms 200ms 1s' ;;
	--route) ;;
	--color) _nodiag_words 'auto always never' ;;
	*)
		if [[ $current == -* ]]; then
			_nodiag_options "$options"
		else
			_nodiag_targets -X '!*.nd'
		fi
		;;
	esac
}

_nodiag_collect() {
	case $previous in
	--threshold) _nodiag_words '20ms 50ms 100ms' ;;
	--idle) _nodiag_words '10s 1m 10m' ;;
	*) _nodiag_options '--threshold= --idle= --help --usage' ;;
	esac
}

_nodiag_export() {
	local options='--compression= -d --duration= --dry-run --endpoint= --header= --queue= --signal=
		--tail= --help --usage'

	case $previous in
	-d | --duration) _nodiag_words '10s 1m 10m 1h' ;;
	--signal) _nodiag_words 'metrics profiles traces' ;;
	--compression) _nodiag_words 'gzip zstd none' ;;
	--tail)
		_nodiag_words 'slow=200ms errors 1/100'
		compopt -o nospace
		;;
	--endpoint | --header) ;;
	--queue) _nodiag_files -d ;;
	*)
		if [[ $current == -* ]]; then
			_nodiag_options "$options"
		else
			_nodiag_targets
		fi
		;;
	esac
}

# $1 are the options besides --help.
_nodiag_attach() {
	if [[ $previous == --via ]]; then
		_nodiag_words 'ptrace inspector'
	elif [[ $current == -* ]]; then
		_nodiag_options "$1 --help --usage"
	else
		_nodiag_words "$(_nodiag_pids)"
	fi
}

# Commands with few options: $1 are those besides --color and --help, $2 are words besides options,
# such as process ids.
_nodiag_list() {
	case $previous in
	--color) _nodiag_words 'auto always never' ;;
	*)
		if [[ $current == -* ]]; then
			_nodiag_options "$1 --color= --help --usage"
		else
			_nodiag_words "$2"
		fi
		;;
	esac
}

_nodiag() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} i
	local commands='ps stack flame lag trace heap record collect export attach detach check'

	COMPREPLY=()
	if [[ $COMP_CWORD -eq 1 ]]; then
		_nodiag_words "$commands help --help --version"
		return
	fi
	# What stands behind "--" is another program's.
	for ((i = 2; i < COMP_CWORD; i++)); do
		if [[ ${COMP_WORDS[i]} == -- ]]; then
			if declare -F _command_offset >/dev/null; then
				_command_offset $((i + 1))
			else
				mapfile -t COMPREPLY < <(compgen -c -- "$current")
			fi
			return
		fi
	done
	# "=" is a word of its own in "--format=svg".
	if [[ $current == = ]]; then
		current=
	elif [[ $previous == = ]]; then
		previous=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	case ${COMP_WORDS[1]} in
	flame) _nodiag_flame ;;
	record) _nodiag_record ;;
	lag) _nodiag_lag ;;
	heap) _nodiag_heap ;;
	trace) _nodiag_trace ;;
	collect) _nodiag_collect ;;
	export) _nodiag_export ;;
	attach) _nodiag_attach --via= ;;
	detach) _nodiag_attach '' ;;
	ps) _nodiag_list --json '' ;;
	check) _nodiag_list --json "$(_nodiag_pids)" ;;
	stack) _nodiag_list '--json --source-maps' "$(_nodiag_pids)" ;;
	help) _nodiag_words "$commands" ;;
	esac
}

complete -F _nodiag nodiag
