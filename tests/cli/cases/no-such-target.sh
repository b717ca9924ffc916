# SPDX-License-Identifier: Apache-2.0
nodiag flame 999999999
echo "exit $?"
nodiag flame 999999999999999999999
echo "exit $?"
nodiag flame gone.cpuprofile
echo "exit $?"
nodiag flame $$ gone.cpuprofile
