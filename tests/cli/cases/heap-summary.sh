# SPDX-License-Identifier: Apache-2.0
cp "$data/after.heapsnapshot" .
nodiag heap summary --limit 4 after.heapsnapshot
gzip -c after.heapsnapshot | nodiag heap summary --limit 1 - | head -n 2
nodiag heap summary --color=always --limit 1 after.heapsnapshot | head -n 1 | cat -v
