# SPDX-License-Identifier: Apache-2.0
# What --by route takes, and what has no routes.
fail() { nodiag flame "$@" || echo "status $?"; }
fail --by colour 1
fail --by route -- node app.js
fail --by route 1 2
cp "$data/small.folded" "$root/tests/format/recordings/1.0.nd" .
fail --by route -o - small.folded
fail --by route -o - 1.0.nd
