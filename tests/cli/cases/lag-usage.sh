# SPDX-License-Identifier: Apache-2.0
nodiag lag --startup 1
echo "exit $?"
nodiag lag --startup --async -- true
echo "exit $?"
nodiag lag --fail-if p98=1s 1
echo "exit $?"
nodiag lag --startup --trace -- true
echo "exit $?"
