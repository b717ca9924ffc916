# SPDX-License-Identifier: Apache-2.0
for rate in 0 5000 99Hz -1 9.5 ''; do
	nodiag flame -r "$rate" none
	echo "exit $?"
done
