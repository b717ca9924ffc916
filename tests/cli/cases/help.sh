# SPDX-License-Identifier: Apache-2.0
nodiag help
echo "exit $?"
# All ways to ask say the same.
nodiag --help | cmp - <(nodiag help)
nodiag -h | cmp - <(nodiag help)
