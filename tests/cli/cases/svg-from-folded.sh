# SPDX-License-Identifier: Apache-2.0
nodiag flame -f svg -o - "$data/small.folded" >page.svg || exit
grep -o '^<svg xmlns="[^"]*"\|^</svg>' page.svg
sed -n '/<title>/,/<\/title>/p' page.svg | sed 's/.*<title>//; s/<\/title>.*//'
