# SPDX-License-Identifier: Apache-2.0
recording=$root/tests/format/recordings/1.0.nd
nodiag flame -f folded -o - "$recording"
nodiag flame --threads -f folded -o - "$recording" 2>/dev/null | sed 's/;.*//' | sort -u
nodiag lag --color never "$recording"
nodiag lag --json "$recording" 2>/dev/null | head -c 60
echo
nodiag lag --fail-if p50=1ms "$recording" >/dev/null 2>&1
echo "exit $?"
