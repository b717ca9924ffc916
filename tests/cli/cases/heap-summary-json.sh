# SPDX-License-Identifier: Apache-2.0
cp "$data/after.heapsnapshot" .
nodiag heap summary --json --limit 3 after.heapsnapshot
