# SPDX-License-Identifier: Apache-2.0
nodiag flame -o - "$data/small.cpuprofile" >page.html || exit
head -n 1 page.html
tail -n 1 page.html
# All functions are in it, and nothing is loaded from elsewhere.
for name in handler parse emit '(idle)' '(garbage collector)'; do
	grep -qF "$name" page.html || echo "no $name"
done
grep -oE '(src|href)="?(https?:)?//[^"> ]*' page.html
exit 0
