// SPDX-License-Identifier: Apache-2.0

import look from './look.cjs';

look.live();
