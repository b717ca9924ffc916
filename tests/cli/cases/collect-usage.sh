# SPDX-License-Identifier: Apache-2.0
try() {
	nodiag collect "$@"
	echo "exit $?"
}

try 4242
try -- true
try --threshold 100us
try --idle 10
try --nope
# A folder that others may enter is none for sockets.
mkdir -m 755 open
export NODIAG_SOCKET=$PWD/open
try
# Nobody asks for anything, so it ends by itself; the lock stays, and means nothing.
export NODIAG_SOCKET=$PWD/own
try --idle 1ms
ls own
rm -r open own
