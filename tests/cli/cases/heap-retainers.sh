# SPDX-License-Identifier: Apache-2.0
cp "$data/before.heapsnapshot" .
nodiag heap retainers before.heapsnapshot @13
nodiag heap retainers before.heapsnapshot Request
nodiag heap retainers --json before.heapsnapshot @13
nodiag heap retainers --json before.heapsnapshot Request
