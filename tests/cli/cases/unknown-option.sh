# SPDX-License-Identifier: Apache-2.0
for option in -x --nope --idle=3 -d --format; do
	nodiag flame "$option"
	echo "exit $?"
done
