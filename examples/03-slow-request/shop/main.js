// SPDX-License-Identifier: Apache-2.0
import 'reflect-metadata';

import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { __decorate } from 'tslib';

import { ShopController } from './controller.js';

/* Decorators as TypeScript compiles them, so that the example needs no compiler. */
const ShopModule = __decorate([Module({ controllers: [ShopController] })], class {});

const app = await NestFactory.create(ShopModule, { logger: ['error'] });
await app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1');
console.log(`listening on ${await app.getUrl()}, pid ${process.pid}`);

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => app.close());
}
