# SPDX-License-Identifier: Apache-2.0
. "$data/complete.sh"

# offer WORD...: show a line that ends with Tab, and what it offers.
offer() {
	echo "\$ $*"
	offered "$@" | sed 's/^/  /'
}

touch app.cpuprofile
offer nodiag ''
offer nodiag f
offer nodiag help ''
offer nodiag flame --k
offer nodiag flame --format = s
offer nodiag flame --format =
offer nodiag flame -f c
offer nodiag flame --color = ''
offer nodiag flame -o app
offer nodiag flame app
offer nodiag stack --
offer nodiag stack --color = a
# What is no command has nothing to offer.
offer nodiag flames ''

# A process is Node.js by the name of its program.
cp "$(command -v sleep)" node
cp "$(command -v sleep)" other
./node 60 &
node=$!
./other 60 &
other=$!
# Until they have become what they are.
until [ "$(readlink "/proc/$node/exe")" = "$PWD/node" ] &&
	[ "$(readlink "/proc/$other/exe")" = "$PWD/other" ]; do
	sleep 0.01
done
offered nodiag flame '' | grep -x -e "$node" -e "$other" | sed "s/^$node\$/node is offered/"
kill "$node" "$other"
