# SPDX-License-Identifier: Apache-2.0
nodiag check 999999999
echo "exit $?"
nodiag check app.js
echo "exit $?"
nodiag check 1 2
echo "exit $?"
nodiag check --nope
echo "exit $?"
nodiag check --color=blue
echo "exit $?"
# A shell is no Node.js.
nodiag check $$ 2>&1 | sed "s/$$/PID/"
echo "exit ${PIPESTATUS[0]}"
