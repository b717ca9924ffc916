// SPDX-License-Identifier: Apache-2.0

const orders = Array.from({ length: 200_000 }, (_, id) => ({
  id,
  customer: `customer ${id % 997}`,
  total: (id * 7919) % 10_000,
}));

/** All orders as CSV, those of one customer together. */
export function exportOrders() {
  const sorted = orders.toSorted(
    (a, b) => a.customer.localeCompare(b.customer) || a.total - b.total,
  );
  return sorted.map((order) => `${order.id},"${order.customer}",${order.total}`).join('\n');
}
