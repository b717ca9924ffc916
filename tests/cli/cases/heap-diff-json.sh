# SPDX-License-Identifier: Apache-2.0
cp "$data/before.heapsnapshot" "$data/after.heapsnapshot" .
nodiag heap diff --json --limit 3 before.heapsnapshot after.heapsnapshot
