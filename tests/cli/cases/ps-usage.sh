# SPDX-License-Identifier: Apache-2.0
nodiag ps 4242
echo "exit $?"
nodiag ps --nope
echo "exit $?"
nodiag ps --color=blue
echo "exit $?"
nodiag ps --json >/dev/full
echo "exit $?"
