# SPDX-License-Identifier: Apache-2.0
# The page is larger than the pipe, and nobody reads it.
nodiag flame -o - "$data/small.folded" | true
echo "exit ${PIPESTATUS[0]}"
