# SPDX-License-Identifier: Apache-2.0
echo precious >out.folded
nodiag flame -f folded --force -o out.folded "$data/small.folded" >table
echo "exit $?"
cat out.folded
ls -A
