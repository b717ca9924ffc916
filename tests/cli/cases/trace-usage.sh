# SPDX-License-Identifier: Apache-2.0
for option in --slow=200 --duration=10 --color=blue --none; do
	nodiag trace "$option" none
	echo "exit $?"
done
nodiag trace 1 2
echo "exit $?"
cp "$root/tests/format/recordings/1.0.nd" old.nd
nodiag trace old.nd
echo "exit $?"
