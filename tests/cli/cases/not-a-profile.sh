# SPDX-License-Identifier: Apache-2.0
echo "hello, world" >text
nodiag flame -o - text
echo "exit $?"
: >empty
nodiag flame -o - empty
echo "exit $?"
head -c 100 "$data/small.cpuprofile" >cut.cpuprofile
nodiag flame -o - cut.cpuprofile
echo "exit $?"
nodiag flame -o - .
