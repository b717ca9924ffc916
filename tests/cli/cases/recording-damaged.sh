# SPDX-License-Identifier: Apache-2.0
recording=$root/tests/format/recordings/1.0.nd

# answer FILE: how many samples are in it, and what is said.
answer() {
	nodiag flame -f folded -o - "$1" | awk '{sum += $NF} END {print sum, "samples"}'
	nodiag lag "$1" | head -n 1
}

echo "cut in the middle of a part:"
head -c 2500 "$recording" >cut.nd
answer cut.nd

echo "a byte that is wrong:"
cp "$recording" wrong.nd
printf x | dd of=wrong.nd bs=1 seek=2500 conv=notrunc status=none
answer wrong.nd

echo "no more than its head:"
head -c 16 "$recording" >head.nd
nodiag flame -o - head.nd
echo "exit $?"
nodiag lag head.nd
echo "exit $?"

echo "not even that:"
head -c 12 "$recording" >less.nd
nodiag flame -o - less.nd
echo "exit $?"
head -c 12 "$data/future.nd" | cat - <(printf 'abcd') >less.nd
nodiag lag less.nd
echo "exit $?"

echo "of another version:"
cp "$data/future.nd" "$data/small.folded" .
nodiag flame -o - future.nd
echo "exit $?"
nodiag lag future.nd
echo "exit $?"

echo "none at all:"
nodiag lag small.folded
echo "exit $?"
