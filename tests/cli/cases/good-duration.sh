# SPDX-License-Identifier: Apache-2.0
# Understood, so that the next thing that is wrong is the target.
for duration in 500ms 1.5s .5s 2m 24h; do
	nodiag flame -d "$duration" none 2>&1 | head -n 1
done
