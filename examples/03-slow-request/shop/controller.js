// SPDX-License-Identifier: Apache-2.0
import { Controller, Get, Header, Param } from '@nestjs/common';
import { __decorate, __param } from 'tslib';

import { packCatalogue } from './catalogue.js';
import { recommend } from './recommendations.js';

const warehouse = process.env.WAREHOUSE ?? 'http://127.0.0.1:3001';

class ShopController {
  async findProduct(id) {
    const answer = await fetch(`${warehouse}/stock/${id}`);
    return { id, name: `product ${id}`, stock: await answer.json() };
  }

  findCatalogue() {
    return packCatalogue();
  }

  findRecommendations(customer) {
    return recommend(customer);
  }
}

const methods = ShopController.prototype;
__decorate([Get('products/:id'), __param(0, Param('id'))], methods, 'findProduct', null);
__decorate([Get('catalogue'), Header('content-encoding', 'gzip')], methods, 'findCatalogue', null);
__decorate(
  [Get('customers/:id/recommendations'), __param(0, Param('id'))],
  methods,
  'findRecommendations',
  null,
);

const Decorated = __decorate([Controller()], ShopController);
export { Decorated as ShopController };
