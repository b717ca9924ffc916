# SPDX-License-Identifier: Apache-2.0
nodiag flames
echo "exit $?"
nodiag help flames
