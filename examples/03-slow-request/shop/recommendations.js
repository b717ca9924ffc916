// SPDX-License-Identifier: Apache-2.0

const CUSTOMERS = 150_000;
const BOUGHT = 8;

/** What each customer bought, everything at once: a few million small objects that are all in use. */
function loadOrders() {
  const orders = [];
  for (let customer = 0; customer < CUSTOMERS; customer++) {
    const bought = [];
    for (let i = 0; i < BOUGHT; i++) bought.push({ product: (customer * 31 + i * 97) % 5003 });
    orders.push(bought);
  }
  return orders;
}

/** What others bought who bought the same. */
export function recommend(customer) {
  const orders = loadOrders();
  const mine = new Set(orders[Number(customer) % CUSTOMERS].map(({ product }) => product));
  const score = new Map();
  for (const bought of orders) {
    if (!bought.some(({ product }) => mine.has(product))) continue;
    for (const { product } of bought) score.set(product, (score.get(product) ?? 0) + 1);
  }
  return [...score].sort(([, a], [, b]) => b - a).slice(0, 5).map(([product]) => product);
}
