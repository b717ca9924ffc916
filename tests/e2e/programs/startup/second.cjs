// SPDX-License-Identifier: Apache-2.0
'use strict';

require('./spin.cjs')(120);
