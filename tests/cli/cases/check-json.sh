# SPDX-License-Identifier: Apache-2.0
# Its names are the same everywhere, and so is what they can be; the rest depends on the machine.
nodiag check --json >json
status=$?
grep -o '"name":"[a-z_]*"' json | grep -v '"tools"'
grep -o '"state":"[a-z]*"' json | grep -v -e '"ok"' -e '"limited"' -e '"no"'
grep -q "^{\"format\":\"nodiag-check\",\"version\":1,.*\"exit\":$status,$" json && echo "exit is $?"
# For people: the same, and a command where one helps.
nodiag check >list
grep -c -e '^ok ' -e '^limited ' -e '^no ' list | cmp - <(grep -c '"state"' json)
! grep "$(printf '\033')" list || echo "that acts on a terminal"
nodiag check --color=always | grep -q "$(printf '\033')" && echo coloured
