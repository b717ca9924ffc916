# SPDX-License-Identifier: Apache-2.0
cp "$data/before.heapsnapshot" before.heapsnapshot
cp "$data/after.heapsnapshot" after.heapsnapshot
nodiag heap convert before.heapsnapshot 2>/dev/null
gzip -c after.heapsnapshot | nodiag heap convert - -o after.nd
ls
nodiag heap diff before.heapsnapshot after.heapsnapshot | tail -n +3 >plain
nodiag heap diff before.nd after.nd | tail -n +3 | diff plain - && echo "diff: the same"
nodiag heap convert after.nd -o again.heapsnapshot 2>/dev/null
nodiag heap summary again.heapsnapshot | tail -n +2 >again
nodiag heap summary after.nd | tail -n +2 | diff again - && echo "summary: the same"
cat before.nd | nodiag heap show - @13
# What -f says; else what the file is called; else packed, or unpacked. DevTools' is JSON.
nodiag heap convert -f heapsnapshot -o json.nd after.nd 2>/dev/null
nodiag heap convert -f nd -o packed.heapsnapshot after.nd 2>/dev/null
nodiag heap convert -o other after.nd 2>/dev/null
cp after.nd back.nd
nodiag heap convert back.nd 2>/dev/null
cmp back.heapsnapshot again.heapsnapshot
stat -c %a back.heapsnapshot
cmp json.nd again.heapsnapshot && cmp packed.heapsnapshot after.nd && cmp other after.nd
head -c 13 again.heapsnapshot; echo
nodiag heap convert before.heapsnapshot; echo "exit $?"
nodiag heap convert - <before.nd; echo "exit $?"
nodiag heap convert -f zip before.nd; echo "exit $?"
nodiag heap summary -f nd before.nd; echo "exit $?"
# Of one that was packed once, so that its bytes are known.
packed=$root/tests/fuzz/corpus/heap/packed.nd
head -c 700 "$packed" >cut.nd
nodiag heap summary cut.nd; echo "exit $?"
(head -c 300 "$packed"; printf x; tail -c +302 "$packed") >bad.nd
nodiag heap summary bad.nd; echo "exit $?"
# References that nobody asks for are not looked at.
(head -c 400 "$packed"; printf x; tail -c +402 "$packed") >references.nd
nodiag heap show references.nd @13; echo "exit $?"
nodiag heap summary references.nd; echo "exit $?"
nodiag heap query references.nd --class Nothing; echo "exit $?"
nodiag flame before.nd -o - -f folded; echo "exit $?"
cp "$root/tests/format/recordings/1.0.nd" .
nodiag heap summary 1.0.nd; echo "exit $?"
