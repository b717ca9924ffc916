# SPDX-License-Identifier: Apache-2.0
nodiag flame -f json -o - "$data/small.folded"
