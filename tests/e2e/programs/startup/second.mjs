// SPDX-License-Identifier: Apache-2.0
import spin from './spin.cjs';

spin(120);
