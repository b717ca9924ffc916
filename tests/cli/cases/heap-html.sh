# SPDX-License-Identifier: Apache-2.0
cp "$data/before.heapsnapshot" "$data/after.heapsnapshot" .
nodiag heap summary -f html --limit 1 before.heapsnapshot | sed 's/[0-9]\{8\}-[0-9]\{6\}/TIME/'
rm heap-*.html
nodiag heap diff -f html --fail-if 1M -o leak.html before.heapsnapshot after.heapsnapshot | tail -n 2
echo "exit ${PIPESTATUS[0]}"
nodiag heap diff -f html -o leak.html before.heapsnapshot after.heapsnapshot
nodiag heap diff -f html --force -o leak.html before.heapsnapshot after.heapsnapshot | tail -n 1
# On stdout there is the page and nothing else, and nothing in it is loaded from elsewhere.
nodiag heap summary -f html -o - after.heapsnapshot >page.html || exit
for page in page.html leak.html; do
	head -n 1 "$page"
	tail -n 1 "$page"
	grep -oF 'app/server.js:12 bus._events.request' "$page" | head -n 1
	grep -oE '(src|href)="?(https?:)?//[^"> ]*' "$page"
done
nodiag heap summary -f html -o /dev/full after.heapsnapshot
echo "exit $?"
ls
exit 0
