# SPDX-License-Identifier: Apache-2.0
# In a pid namespace of its own, where no one else runs: that is no failure.
if ! unshare --user --map-root-user --pid --fork --mount-proc true 2>/dev/null; then
	echo "cannot make a pid namespace here (unshare --user --pid)"
	exit 77
fi
alone() {
	unshare --user --map-root-user --pid --fork --mount-proc nodiag ps "$@"
	echo "exit $?"
}
alone
alone --json
# Neither is one whose name begins like Node's.
cp "$(command -v sleep)" node_exporter
cp "$(command -v sleep)" node
./node_exporter 60 &
other=$!
./node 60 &
node=$!
until [ "$(readlink "/proc/$node/exe")" = "$PWD/node" ]; do
	sleep 0.01
done
nodiag ps --json 2>/dev/null | grep -c -e "\"pid\":$other," -e "\"pid\":$node,"
kill "$other" "$node"
