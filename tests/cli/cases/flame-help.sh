# SPDX-License-Identifier: Apache-2.0
# The target that is not there keeps nodiag from sampling somebody, should it not see --help.
nodiag flame --help none >help || exit
head -n 1 help
grep -o -e '^  -., --[a-z-]*' -e '^      --[a-z-]*' help
nodiag help flame | cmp - help
nodiag flame '-?' none | cmp - help
