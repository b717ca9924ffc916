/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_RENDER_PALETTE_H
#define NODIAG_ANALYZER_RENDER_PALETTE_H

/*
 * What the kinds and tiers of frames are called in a picture, and their colours.
 *
 * Colours are 0xrrggbb. Dark text (ND_PALETTE_TEXT) is readable on every `light` one and on its
 * shades, white text on every `dark` one.
 */

#include <stdint.h>

#include "analyzer/profile/profile.h"

#define ND_PALETTE_TEXT 0x1b1f24

struct nd_swatch {
	const char *label;
	uint32_t light; /* on a light page */
	uint32_t dark;	/* on a dark page */
};

/* Indexed by enum nd_frame_kind and enum nd_tier. */
extern const struct nd_swatch nd_palette_kinds[ND_FRAME_KIND_COUNT];
extern const struct nd_swatch nd_palette_tiers[ND_TIER_COUNT];

/*
 * One of four light shades of a colour, chosen by a function's name, so that neighbours of one kind
 * can be told apart and a function looks the same everywhere.
 */
uint32_t nd_palette_shade(uint32_t colour, const char *name);

#endif /* NODIAG_ANALYZER_RENDER_PALETTE_H */
