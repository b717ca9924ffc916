// SPDX-License-Identifier: Apache-2.0

// The offers of all suppliers. Most products are offered by more than one of them.

const SUPPLIERS = ['Nordlicht', 'Casa Clara', 'Atelier 9', 'Halden', 'Lumen & Co', 'Brück'];
const BRANDS = ['Aalto', 'Bergström', 'Castiglioni', 'Dræger', 'Eichler', 'Fjord', 'Gómez', 'Holm'];
const KINDS = ['desk lamp', 'floor lamp', 'wall lamp', 'pendant lamp', 'table', 'chair', 'shelf'];
const COLOURS = ['black', 'white', 'oak', 'brass', 'crème', 'moss green'];
const SIZES = ['small', 'medium', 'large'];

/** A text as it is compared: without case and accents. */
export function normalise(text) {
  return text.normalize('NFD').replace(/\p{Diacritic}/gu, '').toLowerCase();
}

function* allProducts() {
  let model = 100;
  for (const brand of BRANDS) {
    for (const kind of KINDS) {
      for (const colour of COLOURS) {
        for (const size of SIZES) {
          yield { brand, model: model++, name: `${brand} ${kind} ${colour}, ${size}` };
        }
      }
    }
  }
}

function* allOffers() {
  let id = 1;
  for (const product of allProducts()) {
    for (const [rank, supplier] of SUPPLIERS.entries()) {
      if ((product.model + rank) % 4 === 0) continue;
      const cents = 2900 + ((product.model * 7919 + rank * 104729) % 40000);
      yield { ...product, id: id++, supplier, cents, words: normalise(product.name) };
    }
  }
}

export const offers = [...allOffers()];

const offersById = new Map(offers.map((offer) => [offer.id, offer]));

export function findOffer(id) {
  return offersById.get(id);
}
