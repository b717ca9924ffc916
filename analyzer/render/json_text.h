/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_RENDER_JSON_TEXT_H
#define NODIAG_ANALYZER_RENDER_JSON_TEXT_H

/*
 * The parts of JSON that are easy to get wrong or slow, and those that several formats share.
 * Renderers write brackets and numbers themselves, so that a profile is never in memory a second
 * time as a tree of JSON values.
 */

#include <stdint.h>

#include "analyzer/profile/profile.h"

struct nd_buf;

/* Words for the tiers, for good. */
extern const char *const nd_json_tier_keys[ND_TIER_COUNT];

/* Append `str`, made valid UTF-8, as a JSON string; `null` for NULL. 0 or the buffer's error. */
int nd_json_add_string(struct nd_buf *out, const char *str);

/* Append `key` as it is, and `str` as above. */
int nd_json_add_field(struct nd_buf *out, const char *key, const char *str);

/* Append "losses" and the list of what the profile is missing. */
void nd_json_add_losses(struct nd_buf *out, const struct nd_profile *profile);

#endif /* NODIAG_ANALYZER_RENDER_JSON_TEXT_H */
