# SPDX-License-Identifier: Apache-2.0
try() {
	nodiag record "$@"
	echo "exit $?"
}

try -d 10 none
try -r 5000 none
try --threshold 10us none
try --threshold 100us none
try -o
try none
cp "$data/small.folded" .
try small.folded
try 1 1
try --
try 1 -- true
# A place that cannot be written, and one that is taken, are told before anything is recorded.
try -o gone/out.nd 1
echo precious >out.nd
try -o out.nd 1
try -o out.nd -- true
try -- ./not-there
cat out.nd
rm small.folded
ls -A
