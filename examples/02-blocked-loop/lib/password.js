// SPDX-License-Identifier: Apache-2.0
import { pbkdf2Sync, timingSafeEqual } from 'node:crypto';

const ITERATIONS = 210_000;

const hash = (password, salt) => pbkdf2Sync(password, salt, ITERATIONS, 64, 'sha512');

const users = new Map([['ada', { salt: 'pepper', hash: hash('lovelace', 'pepper') }]]);

/** Whether this is the user's password. */
export function isPassword(name, password) {
  const user = users.get(name);
  return user !== undefined && timingSafeEqual(hash(password, user.salt), user.hash);
}
