# SPDX-License-Identifier: Apache-2.0
# In a pid namespace of its own, where no one else runs.
if ! unshare --user --map-root-user --pid --fork --mount-proc true 2>/dev/null; then
	echo "cannot make a pid namespace here (unshare --user --pid)"
	exit 77
fi
unshare --user --map-root-user --pid --fork --mount-proc nodiag flame
