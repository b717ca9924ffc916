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

_nodiag_flame() {
	local formats='html svg folded pprof speedscope cpuprofile json'
	local options='-d --duration= -r --rate= --threads --by= --kernel --no-kernel --idle
		--source-maps -f --format= -o --output= --force --color= --help --usage'

	case $previous in
	-d | --duration)
		mapfile -t COMPREPLY < <(compgen -W '10s 30s 1m 5m' -- "$current")
		;;
	-r | --rate)
		mapfile -t COMPREPLY < <(compgen -W '99 499 999' -- "$current")
		;;
	-f | --format)
		mapfile -t COMPREPLY < <(compgen -W "$formats" -- "$current")
		;;
	--by)
		mapfile -t COMPREPLY < <(compgen -W 'route' -- "$current")
		;;
	--color)
		mapfile -t COMPREPLY < <(compgen -W 'auto always never' -- "$current")
		;;
	-o | --output)
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		compopt -o filenames
		;;
	*)
		if [[ $current == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
			[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace
		else
			mapfile -t COMPREPLY < <(compgen -W "$(_nodiag_pids)" -- "$current"
				compgen -f -- "$current")
			compopt -o filenames
		fi
		;;
	esac
}

_nodiag_record() {
	local options='-d --duration= -r --rate= --threshold= --async --trace --kernel --no-kernel -o
		--output= --force --help --usage'

	case $previous in
	-d | --duration)
		mapfile -t COMPREPLY < <(compgen -W '10s 1m 10m 1h' -- "$current")
		;;
	-r | --rate)
		mapfile -t COMPREPLY < <(compgen -W '99 499 999' -- "$current")
		;;
	--threshold)
		mapfile -t COMPREPLY < <(compgen -W '20ms 50ms 100ms' -- "$current")
		;;
	-o | --output)
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		compopt -o filenames
		;;
	*)
		if [[ $current == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
			[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace
		else
			mapfile -t COMPREPLY < <(compgen -W "$(_nodiag_pids)" -- "$current")
		fi
		;;
	esac
}

_nodiag_lag() {
	local options='-d --duration= -l --live --async --trace --startup --threshold= --color=
		--fail-if= --json --help --usage'

	case $previous in
	-d | --duration)
		mapfile -t COMPREPLY < <(compgen -W '10s 30s 1m 5m' -- "$current")
		;;
	--threshold)
		mapfile -t COMPREPLY < <(compgen -W '20ms 50ms 100ms' -- "$current")
		;;
	--color)
		mapfile -t COMPREPLY < <(compgen -W 'auto always never' -- "$current")
		;;
	--fail-if)
		mapfile -t COMPREPLY < <(compgen -W 'mean= p50= p90= p99= p99.9= max=' -- "$current")
		compopt -o nospace
		;;
	*)
		if [[ $current == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
			[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace
		else
			mapfile -t COMPREPLY < <(compgen -W "$(_nodiag_pids)" -- "$current"
				compgen -f -X '!*.nd' -- "$current")
			compopt -o filenames
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
			mapfile -t COMPREPLY < <(compgen -W "$questions" -- "$current")
			return
		fi
		;;&
	snapshot | --live)
		if [[ $current != -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W "$(_nodiag_pids)" -- "$current")
			return
		fi
		;;&
	-o | --output)
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		compopt -o filenames
		;;
	-f | --format)
		mapfile -t COMPREPLY < <(compgen -W 'text json html nd heapsnapshot' -- "$current")
		;;
	--timeout)
		mapfile -t COMPREPLY < <(compgen -W '1m 5m 15m' -- "$current")
		;;
	--child-memory)
		mapfile -t COMPREPLY < <(compgen -W '1G 4G 16G' -- "$current")
		;;
	--fail-if)
		mapfile -t COMPREPLY < <(compgen -W '1M 10M 100M' -- "$current")
		;;
	--color)
		mapfile -t COMPREPLY < <(compgen -W 'auto always never' -- "$current")
		;;
	--type)
		mapfile -t COMPREPLY < <(compgen -W 'object closure string array native code' -- "$current")
		;;
	--sort)
		mapfile -t COMPREPLY < <(compgen -W 'retained self distance id' -- "$current")
		;;
	--ignore | --limit | --class | --min-* | --max-distance | --retained-by) ;;
	*)
		if [[ $current == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
			[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace
		else
			mapfile -t COMPREPLY < <(compgen -f -- "$current")
			compopt -o filenames
		fi
		;;
	esac
}

_nodiag_trace() {
	local options='-d --duration= -l --live --spans= --slow= --route= --color= --json --help --usage'

	case $previous in
	-d | --duration)
		mapfile -t COMPREPLY < <(compgen -W '10s 30s 1m 5m' -- "$current")
		;;
	--spans)
		mapfile -t COMPREPLY < <(
			compgen -W 'all dns net tls fs child_process worker' -- "$current"
		)
		;;
	--slow)
		mapfile -t COMPREPLY < <(compgen -W '100ms 200ms 1s' -- "$current")
		;;
	--route) ;;
	--color)
		mapfile -t COMPREPLY < <(compgen -W 'auto always never' -- "$current")
		;;
	*)
		if [[ $current == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
			[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace
		else
			mapfile -t COMPREPLY < <(compgen -W "$(_nodiag_pids)" -- "$current"
				compgen -f -X '!*.nd' -- "$current")
			compopt -o filenames
		fi
		;;
	esac
}

_nodiag_collect() {
	case $previous in
	--threshold)
		mapfile -t COMPREPLY < <(compgen -W '20ms 50ms 100ms' -- "$current")
		;;
	--idle)
		mapfile -t COMPREPLY < <(compgen -W '10s 1m 10m' -- "$current")
		;;
	*)
		mapfile -t COMPREPLY < <(compgen -W '--threshold= --idle= --help --usage' -- "$current")
		[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace
		;;
	esac
}

_nodiag_export() {
	local options='--compression= -d --duration= --dry-run --endpoint= --header= --queue= --signal=
		--tail= --help --usage'

	case $previous in
	-d | --duration)
		mapfile -t COMPREPLY < <(compgen -W '10s 1m 10m 1h' -- "$current")
		;;
	--signal)
		mapfile -t COMPREPLY < <(compgen -W 'metrics profiles traces' -- "$current")
		;;
	--compression)
		mapfile -t COMPREPLY < <(compgen -W 'gzip zstd none' -- "$current")
		;;
	--tail)
		mapfile -t COMPREPLY < <(compgen -W 'slow=200ms errors 1/100' -- "$current")
		compopt -o nospace
		;;
	--endpoint | --header) ;;
	--queue)
		mapfile -t COMPREPLY < <(compgen -d -- "$current")
		compopt -o filenames
		;;
	*)
		if [[ $current == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
			[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace
		else
			mapfile -t COMPREPLY < <(compgen -W "$(_nodiag_pids)" -- "$current"
				compgen -f -- "$current")
			compopt -o filenames
		fi
		;;
	esac
}

# $1 are the options besides --help.
_nodiag_attach() {
	if [[ $previous == --via ]]; then
		mapfile -t COMPREPLY < <(compgen -W 'ptrace inspector' -- "$current")
	elif [[ $current == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$1 --help --usage" -- "$current")
		[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace
	else
		mapfile -t COMPREPLY < <(compgen -W "$(_nodiag_pids)" -- "$current")
	fi
}

# Commands with few options: $1 are those besides --color and --help, $2 are words besides options,
# such as process ids.
_nodiag_list() {
	case $previous in
	--color)
		mapfile -t COMPREPLY < <(compgen -W 'auto always never' -- "$current")
		;;
	*)
		if [[ $current == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W "$1 --color= --help --usage" -- "$current")
			[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace
		else
			mapfile -t COMPREPLY < <(compgen -W "$2" -- "$current")
		fi
		;;
	esac
}

_nodiag() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} i
	local commands='ps stack flame lag trace heap record collect export attach detach check'

	COMPREPLY=()
	if [[ $COMP_CWORD -eq 1 ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$commands help --help --version" -- "$current")
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
	flame)
		_nodiag_flame
		;;
	record)
		_nodiag_record
		;;
	lag)
		_nodiag_lag
		;;
	heap)
		_nodiag_heap
		;;
	trace)
		_nodiag_trace
		;;
	collect)
		_nodiag_collect
		;;
	export)
		_nodiag_export
		;;
	attach)
		_nodiag_attach --via=
		;;
	detach)
		_nodiag_attach ''
		;;
	ps)
		_nodiag_list --json ''
		;;
	check)
		_nodiag_list --json "$(_nodiag_pids)"
		;;
	stack)
		_nodiag_list '--json --source-maps' "$(_nodiag_pids)"
		;;
	help)
		mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$current")
		;;
	esac
}

complete -F _nodiag nodiag
