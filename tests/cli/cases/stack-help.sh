# SPDX-License-Identifier: Apache-2.0
nodiag stack --help none >help || exit
head -n 1 help
grep -o -e '^  -., --[a-z-]*' -e '^      --[a-z-]*' help
nodiag help stack | cmp - help
nodiag stack '-?' none | cmp - help
