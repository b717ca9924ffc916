# SPDX-License-Identifier: Apache-2.0
cp "$data/before.heapsnapshot" .
nodiag heap show before.heapsnapshot @7
nodiag heap show --json before.heapsnapshot @7 --limit 1
nodiag heap paths before.heapsnapshot @13
nodiag heap paths before.heapsnapshot Request | head -n 1
nodiag heap paths --json before.heapsnapshot @13
nodiag heap query before.heapsnapshot --class Request --limit 2
nodiag heap query before.heapsnapshot --type closure --max-distance 2
nodiag heap query before.heapsnapshot --retained-by @7 --sort id --min-self 1K --limit 1
nodiag heap query --json before.heapsnapshot --min-retained 1G
nodiag heap query before.heapsnapshot --type thing
nodiag heap query before.heapsnapshot --sort name
nodiag heap query before.heapsnapshot --min-self 12
nodiag heap query before.heapsnapshot --max-distance far
nodiag heap show before.heapsnapshot 99999
nodiag heap paths before.heapsnapshot Nobody
nodiag heap summary before.heapsnapshot --class Request
exit 0
