# SPDX-License-Identifier: Apache-2.0
nodiag flame -o /dev/full "$data/small.folded"
echo "exit $?"
nodiag flame -o - "$data/small.folded" >/dev/full
echo "exit $?"
# The answer is there, but its table could not be printed.
nodiag flame -o out.html "$data/small.folded" >/dev/full
