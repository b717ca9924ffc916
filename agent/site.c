/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/site.h"

#include <string.h>

#include "agent/node_abi.h"

/* Frames looked at: a package is seldom deeper in itself, and each takes time. */
#define FRAMES_MAX 32

/* Longer paths are cut, and most likely are somebody's who is no package. */
#define PATH_MAX_BYTES 1024

/* Whose a script is; what is higher is preferred. */
enum owner { OWNER_UNKNOWN, OWNER_HIDDEN, OWNER_NODE, OWNER_PACKAGE, OWNER_PROGRAM };

bool nd_site_is_known(void)
{
	return nd_stack_trace_take && nd_stack_trace_count && nd_stack_trace_frame &&
	       nd_stack_frame_location && nd_stack_frame_script && nd_stack_frame_file &&
	       nd_stack_frame_function && napi_get_value_string_utf8;
}

/* "" where there is none. A Local is what Node-API calls a value. */
static void read_text(struct napi_env__ *env, struct nd_local *text, char *buf, size_t size)
{
	size_t len;

	if (!text || napi_get_value_string_utf8(env, (struct napi_value__ *)text, buf, size, &len))
		buf[0] = '\0';
}

static enum owner find_owner(struct napi_env__ *env, const struct nd_local *frame)
{
	char path[PATH_MAX_BYTES];

	read_text(env, nd_stack_frame_file(frame), path, sizeof(path));
	if (!strncmp(path, "node:internal/", 14) || !strncmp(path, "node:nodiag/", 12))
		return OWNER_HIDDEN;
	if (!strncmp(path, "node:", 5))
		return OWNER_NODE;
	return !path[0] || strstr(path, "/node_modules/") ? OWNER_PACKAGE : OWNER_PROGRAM;
}

static enum owner get_owner(struct nd_sites *sites, struct napi_env__ *env,
			    const struct nd_local *frame)
{
	int32_t id = nd_stack_frame_script(frame);
	struct nd_site_script *script = &sites->script[(uint32_t)id % ND_SITE_SCRIPTS];

	if (script->id != id || script->owner == OWNER_UNKNOWN)
		*script = (struct nd_site_script){id, find_owner(env, frame)};
	return script->owner;
}

/* NULL where all is Node's inside. */
static struct nd_local *find_frame(struct nd_sites *sites, struct nd_isolate *isolate,
				   struct napi_env__ *env)
{
	struct nd_local *trace = nd_stack_trace_take(isolate, FRAMES_MAX, ND_STACK_TRACE_OVERVIEW);
	enum owner owner, best_owner = OWNER_HIDDEN;
	struct nd_local *frame, *best = NULL;
	int i, count = trace ? nd_stack_trace_count(trace) : 0;

	for (i = 0; i < count && best_owner != OWNER_PROGRAM; i++) {
		frame = nd_stack_trace_frame(trace, isolate, (uint32_t)i);
		owner = frame ? get_owner(sites, env, frame) : OWNER_HIDDEN;
		if (owner > best_owner) {
			best_owner = owner;
			best = frame;
		}
	}
	return best;
}

static uint32_t hash(const struct nd_site *site)
{
	uint32_t sum = site->type;

	sum = sum * 0x01000193u ^ (uint32_t)site->script;
	sum = sum * 0x01000193u ^ site->line;
	sum = sum * 0x01000193u ^ site->column;
	return sum * 0x9e3779b1u >> 21;
}

static bool is_same(const struct nd_site *a, const struct nd_site *b)
{
	return a->type == b->type && a->script == b->script && a->line == b->line &&
	       a->column == b->column;
}

/* Names longer than their place keep their end, which is the file's own. */
static void copy_end(const char *text, char *buf, size_t size)
{
	size_t len = strlen(text), cut = len < size ? 0 : len - (size - 1);

	/* Not in the middle of a character of UTF-8. */
	while (cut && (text[cut] & 0xc0) == 0x80)
		cut++;
	memcpy(buf, text + cut, len - cut + 1);
}

static uint32_t add(struct nd_sites *sites, struct napi_env__ *env, struct nd_local *frame,
		    const struct nd_site *key)
{
	char path[PATH_MAX_BYTES] = "";
	struct nd_site *site;

	/* Number 0 is no site. */
	if (!sites->count)
		sites->count = 1;
	if (sites->count == ND_SITES) {
		sites->lost++;
		return 0;
	}
	site = &sites->site[sites->count];
	*site = *key;
	if (frame) {
		read_text(env, nd_stack_frame_file(frame), path, sizeof(path));
		read_text(env, nd_stack_frame_function(frame), site->function,
			  sizeof(site->function));
	}
	copy_end(path, site->file, sizeof(site->file));
	__atomic_store_n(&sites->count, sites->count + 1, __ATOMIC_RELEASE);
	return sites->count - 1;
}

uint32_t nd_sites_find(struct nd_sites *sites, struct nd_isolate *isolate, struct napi_env__ *env,
		       uint32_t type)
{
	struct nd_local *frame = find_frame(sites, isolate, env);
	struct nd_site key = {.type = type};
	struct nd_location location;
	uint32_t at;

	if (frame) {
		location = nd_stack_frame_location(frame);
		key.script = nd_stack_frame_script(frame);
		key.line = (uint32_t)location.line + 1;
		key.column = (uint32_t)location.column + 1;
	}
	for (at = hash(&key); sites->index[at]; at = (at + 1) % (2 * ND_SITES))
		if (is_same(&sites->site[sites->index[at]], &key))
			return sites->index[at];
	sites->index[at] = (uint16_t)add(sites, env, frame, &key);
	return sites->index[at];
}
