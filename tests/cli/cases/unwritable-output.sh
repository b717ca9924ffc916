# SPDX-License-Identifier: Apache-2.0
nodiag flame -o gone/out.html "$data/small.folded"
echo "exit $?"
nodiag flame -o . "$data/small.folded"
echo "exit $?"
ls -A
