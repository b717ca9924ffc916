# SPDX-License-Identifier: Apache-2.0
nodiag flame -f gif none
echo "exit $?"
nodiag flame --color=maybe none
