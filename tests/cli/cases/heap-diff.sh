# SPDX-License-Identifier: Apache-2.0
cp "$data/before.heapsnapshot" "$data/after.heapsnapshot" .
nodiag heap diff before.heapsnapshot after.heapsnapshot
nodiag heap diff --fail-if 1M before.heapsnapshot after.heapsnapshot >/dev/null
echo "exit $?"
nodiag heap diff --fail-if 2M before.heapsnapshot after.heapsnapshot >/dev/null
echo "exit $?"
nodiag heap diff --fail-if 1M --ignore Request before.heapsnapshot after.heapsnapshot
echo "exit $?"
nodiag heap diff before.heapsnapshot after.heapsnapshot after.heapsnapshot
