# SPDX-License-Identifier: Apache-2.0
# Where nodiag cannot begin, the command is not run.
nodiag flame -f folded -o gone/out -- touch ran
echo "exit $?"
touch out.html
nodiag flame -o out.html -- touch ran
echo "exit $?"
nodiag flame --nope -- touch ran
echo "exit $?"
ls
