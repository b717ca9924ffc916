/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/symbols/sourcemap.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/symbols/base64.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/intern.h"
#include "proto/limits.h"

/* One mapping; everything counts from 0. Strings are ids of the map's table, 0 when there is none.
 */
struct segment {
	uint32_t line; /* generated */
	uint32_t column;
	uint32_t source;
	uint32_t name;
	uint32_t source_line;
	uint32_t source_column;
};

struct nd_sourcemap {
	struct nd_intern *strings;
	struct segment *segments; /* in order of line and column */
	size_t count;
	size_t cap;
	size_t joined_bytes; /* of sources with a root before them, which repeat it */
	bool is_unsorted;
};

struct ids {
	uint32_t *id;
	size_t count;
};

/* What decoding the mappings of one (part of a) map needs. */
struct decoder {
	struct nd_sourcemap *map;
	struct nd_err *err;
	struct ids sources;
	struct ids names;
	uint32_t first_line; /* where the generated text of this part begins */
	uint32_t first_column;
};

enum { COLUMN, SOURCE, SOURCE_LINE, SOURCE_COLUMN, NAME, FIELDS_MAX };

static int malformed(struct nd_err *err, const char *why)
{
	return nd_err_set(err, -EBADMSG, "not a source map: %s", why);
}

static int no_memory(struct nd_err *err)
{
	return nd_err_set_errno(err, -ENOMEM, "cannot read a source map");
}

static int compare_segments(const void *a, const void *b)
{
	const struct segment *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->column < y->column ? -1 : x->column > y->column;
}

static int add_segment(struct decoder *d, const struct segment *segment)
{
	struct nd_sourcemap *map = d->map;
	size_t cap = map->cap ? map->cap * 2 : 256;
	struct segment *grown;

	if (map->count == ND_SOURCE_MAP_SEGMENTS_MAX)
		return nd_err_set(d->err, -EFBIG, "a source map with too many mappings");
	if (map->count == map->cap) {
		grown = realloc(map->segments, cap * sizeof(*grown));
		if (!grown)
			return no_memory(d->err);
		map->segments = grown;
		map->cap = cap;
	}
	if (map->count && compare_segments(&map->segments[map->count - 1], segment) > 0)
		map->is_unsorted = true;
	map->segments[map->count++] = *segment;
	return 0;
}

/* A number in digits of five bits, the lowest first; its lowest bit is the sign. False if broken.
 */
static bool read_number(const char **at, int64_t *ret_value)
{
	unsigned int shift = 0;
	uint64_t value = 0;
	int digit;

	do {
		digit = nd_base64_value(**at);
		if (digit < 0 || shift > 30)
			return false;
		(*at)++;
		value |= (uint64_t)(digit & 31) << shift;
		shift += 5;
	} while (digit & 32);
	*ret_value = value & 1 ? -(int64_t)(value >> 1) : (int64_t)(value >> 1);
	return true;
}

static bool is_position(int64_t value)
{
	return value >= 0 && value < UINT32_MAX;
}

static uint32_t get_id(const struct ids *ids, int64_t index)
{
	return index >= 0 && (uint64_t)index < ids->count ? ids->id[index] : 0;
}

/*
 * Make a segment of the running totals. A wrong index or a negative position makes one without a
 * source: nothing is known there, while leaving it out would stretch the segment before it.
 */
static int take_segment(struct decoder *d, uint32_t line, const int64_t *total, int fields)
{
	int64_t column = total[COLUMN] + (line == d->first_line ? d->first_column : 0);
	struct segment segment = {.line = line, .column = (uint32_t)column};

	if (!is_position(column))
		return 0;
	if ((fields == NAME || fields == FIELDS_MAX) && is_position(total[SOURCE_LINE]) &&
	    is_position(total[SOURCE_COLUMN])) {
		segment.source = get_id(&d->sources, total[SOURCE]);
		segment.source_line = (uint32_t)total[SOURCE_LINE];
		segment.source_column = (uint32_t)total[SOURCE_COLUMN];
		if (fields == FIELDS_MAX)
			segment.name = get_id(&d->names, total[NAME]);
	}
	return add_segment(d, &segment);
}

static bool ends_segment(char c)
{
	return c == ',' || c == ';' || c == '\0';
}

/* Totals cannot overflow: a number has 35 bits at most, and a map is limited to 2^27 digits. */
static int decode_mappings(struct decoder *d, const char *at)
{
	int64_t total[FIELDS_MAX] = {0}, number;
	uint32_t line = d->first_line;
	int fields, r;

	while (*at) {
		if (*at == ',' || *at == ';') {
			if (*at == ';' && ++line == UINT32_MAX)
				return malformed(d->err, "too many lines");
			total[COLUMN] = *at++ == ';' ? 0 : total[COLUMN];
			continue;
		}
		for (fields = 0; !ends_segment(*at); fields++) {
			if (!read_number(&at, &number))
				return malformed(d->err, "bad mappings");
			if (fields < FIELDS_MAX)
				total[fields] += number;
		}
		r = take_segment(d, line, total, fields);
		if (r)
			return r;
	}
	return 0;
}

/* A scheme or a root: such a source is not below the source root. */
static bool is_absolute(const char *source)
{
	size_t len = strspn(source, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789+-.");

	return source[0] == '/' || (len > 1 && source[len] == ':');
}

static int add_string(struct decoder *d, const char *str, uint32_t *ret_id)
{
	return nd_intern_add(d->map->strings, str, strlen(str), ret_id) ? no_memory(d->err) : 0;
}

static int add_source(struct decoder *d, const char *root, const char *source, uint32_t *ret_id)
{
	struct nd_buf path;
	int r;

	if (!*root || is_absolute(source))
		return add_string(d, source, ret_id);
	nd_buf_init(&path, ND_SOURCE_MAP_MAX - d->map->joined_bytes);
	nd_buf_add_str(&path, root);
	if (root[strlen(root) - 1] != '/')
		nd_buf_add_char(&path, '/');
	nd_buf_add_str(&path, source);
	d->map->joined_bytes += path.len;
	r = nd_buf_error(&path);
	if (r)
		r = nd_err_set_errno(d->err, r, "cannot read a source map");
	else
		r = add_string(d, path.data, ret_id);
	nd_buf_fini(&path);
	return r;
}

/* Take a list of strings; where `root` is not NULL they are sources below it. */
static int load_ids(struct decoder *d, const json_t *list, const char *root, struct ids *ids)
{
	size_t i, count = json_array_size(list);
	const char *str;
	int r = 0;

	if (!count)
		return 0;
	ids->id = calloc(count, sizeof(*ids->id));
	if (!ids->id)
		return no_memory(d->err);
	ids->count = count;
	for (i = 0; i < count && !r; i++) {
		/* A source may be null, where the tool does not want to tell. */
		str = json_string_value(json_array_get(list, i));
		if (!str)
			continue;
		r = root ? add_source(d, root, str, &ids->id[i]) : add_string(d, str, &ids->id[i]);
	}
	return r;
}

static int check_version(struct decoder *d, const json_t *json)
{
	if (json_integer_value(json_object_get(json, "version")) != 3)
		return malformed(d->err, "not of version 3");
	return 0;
}

static int decode_part(struct decoder *d, const json_t *json)
{
	const char *mappings = json_string_value(json_object_get(json, "mappings"));
	const char *root = json_string_value(json_object_get(json, "sourceRoot"));
	const json_t *sources = json_object_get(json, "sources");
	int r = check_version(d, json);

	if (r)
		return r;
	if (!mappings)
		return malformed(d->err, "no mappings");
	if (!json_is_array(sources))
		return malformed(d->err, "no sources");
	r = load_ids(d, sources, root ? root : "", &d->sources);
	if (!r)
		r = load_ids(d, json_object_get(json, "names"), NULL, &d->names);
	if (!r)
		r = decode_mappings(d, mappings);
	free(d->sources.id);
	free(d->names.id);
	return r;
}

static int decode_section(struct decoder *whole, const json_t *section)
{
	const json_t *offset = json_object_get(section, "offset");
	json_int_t line = json_integer_value(json_object_get(offset, "line"));
	json_int_t column = json_integer_value(json_object_get(offset, "column"));
	const json_t *map = json_object_get(section, "map");
	struct decoder part = {.map = whole->map,
			       .err = whole->err,
			       .first_line = (uint32_t)line,
			       .first_column = (uint32_t)column};

	if (!map || !is_position(line) || !is_position(column))
		return malformed(whole->err, "a section without a map or a place");
	return decode_part(&part, map);
}

static int decode_sections(struct decoder *d, const json_t *json, const json_t *sections)
{
	int r = check_version(d, json);
	size_t i;

	if (!r && !json_is_array(sections))
		return malformed(d->err, "bad sections");
	for (i = 0; !r && i < json_array_size(sections); i++)
		r = decode_section(d, json_array_get(sections, i));
	return r;
}

static int decode_json(struct nd_sourcemap *map, const json_t *json, struct nd_err *err)
{
	struct decoder d = {.map = map, .err = err};
	const json_t *sections = json_object_get(json, "sections");
	struct segment *shrunk;
	int r = sections ? decode_sections(&d, json, sections) : decode_part(&d, json);

	if (r || !map->count)
		return r;
	shrunk = realloc(map->segments, map->count * sizeof(*shrunk));
	if (shrunk)
		map->segments = shrunk;
	if (map->is_unsorted)
		qsort(map->segments, map->count, sizeof(*map->segments), compare_segments);
	return 0;
}

/* Servers put a line of ")]}'" before JSON, so that it is no script. */
static void skip_guard(const char **json, size_t *len)
{
	const char *end;

	if (*len < 3 || memcmp(*json, ")]}", 3) != 0)
		return;
	end = memchr(*json, '\n', *len);
	if (!end)
		return;
	*len -= (size_t)(end + 1 - *json);
	*json = end + 1;
}

int nd_sourcemap_decode(const char *json, size_t len, struct nd_sourcemap **ret_map,
			struct nd_err *err)
{
	struct nd_sourcemap *map = NULL;
	json_error_t where;
	json_t *root;
	int r;

	if (len > ND_SOURCE_MAP_MAX)
		return nd_err_set(err, -EFBIG, "a source map of %zu bytes is too large", len);
	skip_guard(&json, &len);
	root = json_loadb(json, len, JSON_ALLOW_NUL, &where);
	if (!root)
		return nd_err_set(err, -EBADMSG, "not a source map: bad JSON in line %d",
				  where.line);
	map = calloc(1, sizeof(*map));
	if (map)
		map->strings = nd_intern_new();
	r = map && map->strings ? decode_json(map, root, err) : no_memory(err);
	json_decref(root);
	if (r)
		nd_sourcemap_free(map);
	else
		*ret_map = map;
	return r;
}

void nd_sourcemap_free(struct nd_sourcemap *map)
{
	if (!map)
		return;
	nd_intern_free(map->strings);
	free(map->segments);
	free(map);
}

bool nd_sourcemap_find(const struct nd_sourcemap *map, uint32_t line, uint32_t column,
		       struct nd_source_position *ret_position)
{
	const struct segment wanted = {.line = line - 1, .column = column - 1};
	size_t low = 0, high = map->count, middle;
	const struct segment *s;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (compare_segments(&map->segments[middle], &wanted) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	s = low ? &map->segments[low - 1] : NULL;
	if (!line || !column || !s || s->line != wanted.line || !s->source)
		return false;
	ret_position->source = nd_intern_get(map->strings, s->source);
	ret_position->name = s->name ? nd_intern_get(map->strings, s->name) : NULL;
	ret_position->line = s->source_line + 1;
	ret_position->column = s->source_column + 1;
	return true;
}
