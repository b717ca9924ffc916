# SPDX-License-Identifier: Apache-2.0
echo precious >out.folded
nodiag flame -f folded -o out.folded "$data/small.folded"
echo "exit $?"
cat out.folded
ls -A
