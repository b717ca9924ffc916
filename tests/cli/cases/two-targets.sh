# SPDX-License-Identifier: Apache-2.0
cp "$data/small.folded" a.folded
cp "$data/small.folded" b.folded
nodiag flame a.folded b.folded
echo "exit $?"
nodiag flame a.folded -- true
echo "exit $?"
nodiag flame --
