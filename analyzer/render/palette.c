/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/render/palette.h"

#define SHADES	   4
#define SHADE_STEP 9 /* per cent of the way to white */

/* Warm for JavaScript that somebody wrote, cool for the runtime, grey for what is not work. */
const struct nd_swatch nd_palette_kinds[ND_FRAME_KIND_COUNT] = {
	[ND_FRAME_UNKNOWN] = {"unknown", 0xc9c2b6, 0x5d574e},
	[ND_FRAME_JS] = {"application", 0xf6bd41, 0x94650c},
	[ND_FRAME_NPM] = {"npm packages", 0xf0916b, 0xa2492b},
	[ND_FRAME_NODE] = {"Node internals", 0x93cb7c, 0x3d7633},
	[ND_FRAME_BUILTIN] = {"V8 builtins", 0x62c3b3, 0x1d7368},
	[ND_FRAME_WASM] = {"WebAssembly", 0xbba0f2, 0x6b4fb4},
	[ND_FRAME_NATIVE] = {"native", 0x84b5ef, 0x2d63a6},
	[ND_FRAME_GC] = {"garbage collection", 0xf084a9, 0xa93a68},
	[ND_FRAME_COMPILE] = {"compiler", 0xd4b48c, 0x7d5b37},
	[ND_FRAME_REGEXP] = {"regular expressions", 0x6fd2e2, 0x1a7186},
	[ND_FRAME_KERNEL] = {"kernel", 0xa9b4d6, 0x4b5788},
	[ND_FRAME_IDLE] = {"idle", 0xdadde2, 0x3f464f},
	[ND_FRAME_THREAD] = {"threads", 0xc0c7d0, 0x4c5561},
	[ND_FRAME_ROUTE] = {"routes", 0xb9c9e8, 0x3f5278},
};

/* From slow to fast code: hot colours where V8 has not optimised. */
const struct nd_swatch nd_palette_tiers[ND_TIER_COUNT] = {
	[ND_TIER_NONE] = {"not JavaScript", 0xd3d7dd, 0x454c56},
	[ND_TIER_IGNITION] = {"Ignition", 0xf08a6c, 0xa8462c},
	[ND_TIER_SPARKPLUG] = {"Sparkplug", 0xf3c14f, 0x8d6610},
	[ND_TIER_MAGLEV] = {"Maglev", 0x86d1c4, 0x20746a},
	[ND_TIER_TURBOFAN] = {"TurboFan", 0x82b1f0, 0x2c60ab},
};

/* FNV-1a, as in the page. */
static uint32_t hash_name(const char *name)
{
	uint32_t hash = 2166136261u;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619u;
	return hash ^ hash >> 16;
}

static uint32_t lighten(uint32_t channel, uint32_t percent)
{
	return channel + (255 - channel) * percent / 100;
}

uint32_t nd_palette_shade(uint32_t colour, const char *name)
{
	uint32_t percent = hash_name(name) % SHADES * SHADE_STEP;

	return lighten(colour >> 16 & 0xff, percent) << 16 |
	       lighten(colour >> 8 & 0xff, percent) << 8 | lighten(colour & 0xff, percent);
}
