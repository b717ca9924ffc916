# SPDX-License-Identifier: Apache-2.0
cp "$data/small.cpuprofile" .
nodiag stack small.cpuprofile
echo "exit $?"
nodiag stack $$ small.cpuprofile
echo "exit $?"
nodiag stack -- true
echo "exit $?"
nodiag stack --color=sometimes $$
echo "exit $?"
nodiag stack --duration 1s $$
echo "exit $?"
nodiag stack 999999999
echo "exit $?"
# One that runs, and is not Node.js; its id is another each time.
nodiag stack $$ 2>err
status=$?
sed "s/$$/PID/" err >&2
echo "exit $status"
