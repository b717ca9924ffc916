# SPDX-License-Identifier: Apache-2.0
nodiag flame -f folded -o - "$data/small.cpuprofile"
