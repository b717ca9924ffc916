# SPDX-License-Identifier: Apache-2.0
nodiag --version | sed 's/[0-9]*\.[0-9]*\.[0-9]*$/VERSION/'
nodiag -V | cmp - <(nodiag --version)
