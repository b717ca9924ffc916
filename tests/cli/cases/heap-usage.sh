# SPDX-License-Identifier: Apache-2.0
cp "$data/before.heapsnapshot" "$data/small.folded" .
status() {
	echo "nodiag $*"
	nodiag "$@"
	echo "exit $?"
}
status heap
status heap leaks before.heapsnapshot
status heap summary
status heap diff before.heapsnapshot
status heap summary --fail-if 10M before.heapsnapshot
status heap diff --fail-if 10 before.heapsnapshot before.heapsnapshot
status heap summary --limit 0 before.heapsnapshot
status heap summary none.heapsnapshot
status heap summary --force before.heapsnapshot
status heap summary --timeout 1m before.heapsnapshot
status heap summary -f svg before.heapsnapshot
status heap retainers -f html before.heapsnapshot Request
status heap summary -f html -o small.folded before.heapsnapshot
status heap snapshot --timeout soon 1
status heap snapshot -f text 1
status heap diff --live before.heapsnapshot before.heapsnapshot
status heap summary --live 1 2
status heap snapshot --child-memory 12 1
status heap snapshot --worker first 1
status heap summary --redact before.heapsnapshot
status heap snapshot --on-signal nothing 1
status heap snapshot --keep 0 1
status heap snapshot --near-limit --worker 7 1
status heap snapshot --grown 10 1
status heap snapshot --in-process --child-memory 1G 1
status heap snapshot --in-process --near-limit 1
status heap snapshot --in-process --every 1m 1
status heap summary --in-process before.heapsnapshot
status heap diff --near-limit before.heapsnapshot before.heapsnapshot
status heap snapshot 1 2
status heap snapshot none
status heap retainers before.heapsnapshot @14
status heap retainers before.heapsnapshot Nobody
head -c 1000 before.heapsnapshot >cut.heapsnapshot
status heap summary cut.heapsnapshot
status heap diff before.heapsnapshot cut.heapsnapshot
status heap summary small.folded
nodiag heap summary before.heapsnapshot >/dev/full
echo "exit $?"
