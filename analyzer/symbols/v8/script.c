/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/symbols/v8/script.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "analyzer/symbols/sourcemap.h"
#include "common/buf.h"
#include "proto/limits.h"

struct script_key {
	uint32_t isolate;
	int32_t id;
};

struct nd_v8_script {
	UT_hash_handle hh;
	struct script_key key;
	char *url;
	uint32_t *line_starts; /* offsets at which lines 2, 3, ... start */
	size_t lines;
	uint32_t length; /* of the text, in UTF-16 units */
	bool has_lines;	 /* the whole text could be read, and nothing speaks against it */
	struct nd_sourcemap *map;
};

struct nd_v8_scripts {
	struct nd_v8_heap heap;
	struct nd_v8_files files;
	struct nd_v8_script *set;
};

/* Finds line ends as ECMAScript has them: LF, CR, CR LF, U+2028, U+2029. */
struct line_scan {
	struct nd_v8_script *script;
	uint32_t offset;
	bool after_cr;
};

static int add_line(struct nd_v8_script *script, uint32_t start)
{
	size_t count = script->lines;
	uint32_t *grown;

	if (count >= ND_V8_LINES_MAX)
		return -E2BIG;
	if ((count & (count - 1)) == 0) {
		grown = reallocarray(script->line_starts, count ? count * 2 : 1, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		script->line_starts = grown;
	}
	script->line_starts[script->lines++] = start;
	return 0;
}

static int scan_chars(void *arg, const void *chars, size_t count, bool two_byte)
{
	struct line_scan *scan = arg;
	uint32_t c;
	size_t i;
	int ret = 0;

	for (i = 0; i < count && !ret; i++, scan->offset++) {
		c = two_byte ? ((const uint16_t *)chars)[i] : ((const uint8_t *)chars)[i];
		if (scan->after_cr && c != '\n')
			ret = add_line(scan->script, scan->offset);
		scan->after_cr = c == '\r';
		if (!ret && (c == '\n' || c == 0x2028 || c == 0x2029))
			ret = add_line(scan->script, scan->offset + 1);
	}
	return ret;
}

static void read_lines(struct nd_v8_scripts *scripts, struct nd_v8_script *script, uint64_t source)
{
	struct line_scan scan = {.script = script};
	int ret = nd_v8_visit_string(&scripts->heap, source, ND_V8_SOURCE_MAX, scan_chars, &scan);

	if (!ret && scan.after_cr)
		ret = add_line(script, scan.offset);
	script->has_lines = !ret;
	script->length = scan.offset;
	if (!ret)
		return;
	free(script->line_starts);
	script->line_starts = NULL;
	script->lines = 0;
}

static void read_url(struct nd_v8_scripts *scripts, struct nd_v8_script *script, uint64_t name)
{
	struct nd_buf url;

	nd_buf_init(&url, 4 * ND_V8_NAME_MAX);
	if (nd_v8_is_string(&scripts->heap, name))
		nd_v8_read_string(&scripts->heap, name, ND_V8_NAME_MAX, &url);
	script->url = strdup(url.data);
	nd_buf_fini(&url);
}

/* The rest of the last line of `text` that begins with `mark`, in the form of a pragma; or NULL. */
static char *find_pragma(const char *text, size_t len, const char *mark)
{
	const char *found = NULL, *at = text;
	size_t mark_len = strlen(mark);

	while ((at = memmem(at, len - (size_t)(at - text), mark, mark_len))) {
		at += mark_len;
		found = at;
	}
	return found ? strndup(found, strcspn(found, " \t\r\n\"'")) : NULL;
}

/* Code that was made at run time may say what to call it. */
static void read_source_url(struct nd_v8_scripts *scripts, struct nd_v8_script *script,
			    uint64_t source)
{
	struct nd_buf text;
	char *url = NULL;

	nd_buf_init(&text, ND_V8_EVAL_MAX);
	if (!nd_v8_read_string(&scripts->heap, source, ND_V8_EVAL_MAX / 4, &text)) {
		url = find_pragma(text.data, text.len, "//# sourceURL=");
		if (!url)
			url = find_pragma(text.data, text.len, "//@ sourceURL=");
	}
	nd_buf_fini(&text);
	if (url && *url)
		nd_v8_script_set_url(script, url);
	free(url);
}

/* Fetch the text of a map that a script names, wherever it is but on the network. */
static int fetch_map(struct nd_v8_scripts *scripts, const struct nd_v8_script *script,
		     const char *url, size_t len, struct nd_buf *map)
{
	struct nd_buf path;
	char *copy = strndup(url, len);
	int ret = -ENOMEM;

	nd_buf_init(&path, 1 << 16);
	if (copy) {
		ret = nd_sourcemap_decode_data_url(copy, len, map);
		if (ret == -EINVAL) {
			ret = nd_sourcemap_resolve(script->url, copy, &path);
			if (!ret)
				ret = path.data[0] == '/' ? scripts->files.read(scripts->files.arg,
										path.data, map)
							  : -ENOENT;
		}
	}
	free(copy);
	nd_buf_fini(&path);
	return ret;
}

static void read_map(struct nd_v8_scripts *scripts, struct nd_v8_script *script, uint64_t source)
{
	struct nd_buf text, map;
	const char *url;
	size_t len;

	if (!scripts->files.read)
		return;
	nd_buf_init(&text, ND_SOURCE_MAP_MAX);
	nd_buf_init(&map, ND_SOURCE_MAP_MAX);
	if (!nd_v8_read_string(&scripts->heap, source, ND_SOURCE_MAP_MAX, &text) &&
	    nd_sourcemap_find_url(text.data, text.len, &url, &len) &&
	    !fetch_map(scripts, script, url, len, &map))
		nd_sourcemap_decode(map.data, map.len, &script->map, NULL);
	nd_buf_fini(&text);
	nd_buf_fini(&map);
}

static void free_script(struct nd_v8_script *script)
{
	free(script->url);
	free(script->line_starts);
	nd_sourcemap_free(script->map);
	free(script);
}

/* What a Script object leads to. */
struct words {
	uint64_t id;
	uint64_t name;
	uint64_t source;
};

/* False when it is no Script, or its name is not there: it moved, say. */
static bool read_words(const struct nd_v8_heap *heap, uint64_t object, struct words *ret)
{
	const struct nd_v8_layout *layout = heap->layout;

	ret->id = nd_v8_field(heap, object, layout->script_id);
	ret->name = nd_v8_field(heap, object, layout->script_name);
	ret->source = nd_v8_field(heap, object, layout->script_source);
	/* Where there is no name, undefined is. */
	return nd_v8_instance_type(heap, object) == layout->script_type && nd_v8_is_smi(ret->id) &&
	       (nd_v8_is_string(heap, ret->name) || nd_v8_instance_type(heap, ret->name) != 0);
}

/* Whether the object leads to that now, from memory that is read anew. */
static bool leads_to(const struct nd_v8_heap *heap, uint64_t object, const struct words *words)
{
	struct words now;

	nd_memory_forget(heap->memory);
	return read_words(heap, object, &now) && now.id == words->id && now.name == words->name &&
	       now.source == words->source;
}

static struct nd_v8_script *read_script(struct nd_v8_scripts *scripts, const struct script_key *key,
					uint64_t object, const struct words *words)
{
	struct nd_v8_script *script = calloc(1, sizeof(*script));

	if (!script)
		return NULL;
	script->key = *key;
	if (leads_to(&scripts->heap, object, words))
		read_url(scripts, script, words->name);
	if (script->url) {
		read_lines(scripts, script, words->source);
		if (!*script->url)
			read_source_url(scripts, script, words->source);
		read_map(scripts, script, words->source);
		if (leads_to(&scripts->heap, object, words))
			HASH_ADD(hh, scripts->set, key, sizeof(script->key), script);
	}
	if (!script->hh.tbl) {
		free_script(script);
		return NULL;
	}
	return script;
}

struct nd_v8_scripts *nd_v8_scripts_new(const struct nd_v8_heap *heap,
					const struct nd_v8_files *files)
{
	struct nd_v8_scripts *scripts = calloc(1, sizeof(*scripts));

	if (!scripts)
		return NULL;
	scripts->heap = *heap;
	if (files)
		scripts->files = *files;
	return scripts;
}

void nd_v8_scripts_free(struct nd_v8_scripts *scripts)
{
	struct nd_v8_script *script, *next;

	if (!scripts)
		return;
	/* uthash keeps its elements in a list too, which outlives the table. */
	script = scripts->set;
	HASH_CLEAR(hh, scripts->set);
	for (; script; script = next) {
		next = script->hh.next;
		free_script(script);
	}
	free(scripts);
}

struct nd_v8_script *nd_v8_scripts_get(struct nd_v8_scripts *scripts, uint32_t isolate,
				       uint64_t object)
{
	struct script_key key = {.isolate = isolate};
	struct nd_v8_script *script;
	struct words words;

	if (!read_words(&scripts->heap, object, &words))
		return NULL;
	key.id = nd_v8_smi(words.id);
	HASH_FIND(hh, scripts->set, &key, sizeof(key), script);
	return script ? script : read_script(scripts, &key, object, &words);
}

struct nd_v8_place nd_v8_script_locate(const struct nd_v8_script *script, int32_t offset)
{
	struct nd_v8_place place = {.file = script->url};
	struct nd_source_position original;
	size_t low = 0, high = script->lines, mid;

	if (offset < 0 || !script->has_lines || (uint32_t)offset > script->length)
		return place;
	while (low < high) {
		mid = low + (high - low) / 2;
		if (script->line_starts[mid] <= (uint32_t)offset)
			low = mid + 1;
		else
			high = mid;
	}
	place.line = (uint32_t)low + 1;
	place.column = (uint32_t)offset - (low ? script->line_starts[low - 1] : 0) + 1;
	if (script->map && nd_sourcemap_find(script->map, place.line, place.column, &original))
		place = (struct nd_v8_place){.file = original.source,
					     .mapped = true,
					     .line = original.line,
					     .column = original.column};
	return place;
}

void nd_v8_script_check_end(struct nd_v8_script *script, int32_t end)
{
	if (end > 0 && (uint32_t)end > script->length)
		script->has_lines = false;
}

const char *nd_v8_script_get_url(const struct nd_v8_script *script)
{
	return script->url;
}

void nd_v8_script_set_url(struct nd_v8_script *script, const char *url)
{
	char *copy = strdup(url);

	if (!copy)
		return;
	free(script->url);
	script->url = copy;
}
