# SPDX-License-Identifier: Apache-2.0
nodiag flame -o out.html "$data/small.cpuprofile"
ls
