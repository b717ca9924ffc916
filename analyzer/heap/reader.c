/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/reader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/gzip.h"
#include "analyzer/heap/columns.h"
#include "analyzer/heap/heap.h"
#include "analyzer/heap/numbers.h"
#include "analyzer/heap/strings.h"
#include "analyzer/heap/unpack.h"
#include "common/buf.h"
#include "common/err.h"
#include "proto/limits.h"
#include "proto/unzstd.h"

/* Bytes that tell how a file is packed. */
#define MAGIC_BYTES 4

/* What V8 writes for each, on an average, and how much of the whole the two are. */
#define NODE_BYTES    20
#define EDGE_BYTES    15
#define NUMBERS_SHARE 0.92

enum state {
	START, /* before "{" */
	KEY,   /* a key or "}" */
	IN_KEY,
	COLON,
	VALUE, /* before a value */
	HEAD,  /* in the value of "snapshot" */
	LIST,  /* before the "[" of a section */
	NUMBERS,
	STRINGS,
	SKIP,	  /* in a value that is not needed */
	COMMA,	  /* behind a value */
	NEXT_KEY, /* behind a comma */
	END,
};

/* What is needed of a snapshot, as bits of what came. */
enum section { NODES = 1, EDGES = 2, LOCATIONS = 4, STRING_TABLE = 8, SNAPSHOT = 16, OTHER = 32 };

enum packing { UNKNOWN, PLAIN, GZIP, ZSTD, COLUMNS };

struct nd_heap_reader {
	enum packing packing;
	struct nd_gunzip *gunzip;
	struct nd_unzstd *unzstd;
	struct nd_heap_unpacker *unpacker;
	bool defers_edges;
	char magic[MAGIC_BYTES];
	size_t magic_len;

	enum state state;
	uint64_t offset; /* of the text that came, unpacked */
	enum section section;
	unsigned int seen; /* enum section */
	char key[32];	   /* what is longer is none that is needed */
	size_t key_len;

	/* Of a value that is skipped or gathered. */
	uint64_t depth;
	bool in_string;
	bool escaped;
	struct nd_buf head;

	struct nd_heap_columns columns;
	struct nd_heap_numbers numbers;
	struct nd_heap_strings strings;
	struct nd_err err; /* set by what is called while unpacking */
};

struct nd_heap_reader *nd_heap_reader_new(void)
{
	struct nd_heap_reader *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	nd_buf_init(&r->head, ND_HEAP_HEAD_MAX);
	r->numbers.arg = &r->columns;
	r->columns.heap = calloc(1, sizeof(*r->columns.heap));
	if (r->columns.heap)
		return r;
	nd_heap_reader_free(r);
	return NULL;
}

void nd_heap_reader_expect(struct nd_heap_reader *r, uint64_t bytes)
{
	r->columns.text_bytes = bytes;
}

void nd_heap_reader_free(struct nd_heap_reader *r)
{
	if (!r)
		return;
	nd_gunzip_free(r->gunzip);
	nd_unzstd_free(r->unzstd);
	nd_heap_unpacker_free(r->unpacker);
	nd_buf_fini(&r->head);
	nd_heap_strings_fini(&r->strings);
	nd_heap_free(r->columns.heap);
	free(r);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static int unexpected(const struct nd_heap_reader *r, char c, uint64_t offset, struct nd_err *err)
{
	if (r->state == START)
		return nd_err_set(err, -EBADMSG, "not a heap snapshot: it does not begin with '{'");
	if (r->state == END)
		return nd_err_set(err, -EBADMSG,
				  "something follows the end of the snapshot, at byte %" PRIu64,
				  offset);
	if (c > ' ' && c < 0x7f)
		return nd_err_set(err, -EBADMSG, "'%c' at byte %" PRIu64 " cannot be there", c,
				  offset);
	return nd_err_set(err, -EBADMSG, "byte 0x%02x at %" PRIu64 " cannot be there",
			  (unsigned char)c, offset);
}

static enum section find_section(const char *key)
{
	static const struct {
		const char *name;
		enum section section;
	} sections[] = {{"snapshot", SNAPSHOT},
			{"nodes", NODES},
			{"edges", EDGES},
			{"locations", LOCATIONS},
			{"strings", STRING_TABLE}};
	size_t i;

	for (i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
		if (!strcmp(sections[i].name, key))
			return sections[i].section;
	return OTHER;
}

/* A key is complete. */
static int begin_section(struct nd_heap_reader *r, uint64_t offset, struct nd_err *err)
{
	r->key[r->key_len < sizeof(r->key) ? r->key_len : 0] = '\0';
	r->section = find_section(r->key);
	r->state = COLON;
	if (r->section == OTHER)
		return 0;
	if (r->seen & r->section)
		return nd_err_set(err, -EBADMSG, "a second '%s' at byte %" PRIu64, r->key, offset);
	if (!(r->seen & SNAPSHOT) && r->section != SNAPSHOT && r->section != STRING_TABLE)
		return nd_err_set(err, -EBADMSG,
				  "'%s' at byte %" PRIu64 " comes before its 'snapshot'", r->key,
				  offset);
	r->seen |= r->section;
	return 0;
}

static void begin_value(struct nd_heap_reader *r)
{
	r->depth = 0;
	r->in_string = false;
	r->escaped = false;
	if (r->section == SNAPSHOT)
		r->state = HEAD;
	else if (r->section == OTHER)
		r->state = SKIP;
	else
		r->state = LIST;
}

static void begin_list(struct nd_heap_reader *r)
{
	const struct nd_heap_meta *meta = &r->columns.meta;

	r->state = r->section == STRING_TABLE ? STRINGS : NUMBERS;
	if (r->section == NODES) {
		r->numbers.take = nd_heap_columns_take_nodes;
		nd_heap_numbers_begin(&r->numbers, meta->node_fields);
	} else if (r->section == EDGES) {
		r->numbers.take = nd_heap_columns_take_edges;
		nd_heap_numbers_begin(&r->numbers, meta->edge_fields);
	} else if (r->section == LOCATIONS) {
		r->numbers.take = nd_heap_columns_take_locations;
		nd_heap_numbers_begin(&r->numbers,
				      meta->location_fields ? meta->location_fields : 1);
	} else if (r->columns.text_bytes > r->offset) {
		/* They come last, and none gets longer. */
		r->strings.expected = r->columns.text_bytes - r->offset;
	}
}

/* The states in which a single byte decides. */
static int step(struct nd_heap_reader *r, char c, uint64_t offset, struct nd_err *err)
{
	if (r->state == IN_KEY) {
		if (c == '"')
			return begin_section(r, offset, err);
		if (r->key_len < sizeof(r->key))
			r->key[r->key_len++] = c;
		return c == '\\' ? unexpected(r, c, offset, err) : 0;
	}
	if (is_space(c))
		return 0;
	if (r->state == START && c == '{') {
		r->state = KEY;
	} else if ((r->state == KEY || r->state == NEXT_KEY) && c == '"') {
		r->key_len = 0;
		r->state = IN_KEY;
	} else if ((r->state == KEY || r->state == COMMA) && c == '}') {
		r->state = END;
	} else if (r->state == COLON && c == ':') {
		r->state = VALUE;
	} else if (r->state == COMMA && c == ',') {
		r->state = NEXT_KEY;
	} else if (r->state == LIST && c == '[') {
		begin_list(r);
	} else {
		return unexpected(r, c, offset, err);
	}
	return 0;
}

/*
 * Go over a value that is not needed, or is short: up to its end, however deep it is. 1 when it
 * ended; what ends a number or a word is not used.
 */
static int skip(struct nd_heap_reader *r, const char *data, size_t len, size_t *ret_used)
{
	size_t i;
	char c;

	for (i = 0; i < len; i++) {
		c = data[i];
		*ret_used = i + 1;
		if (r->in_string) {
			if (r->escaped || c == '\\')
				r->escaped = !r->escaped;
			else if (c == '"')
				r->in_string = false;
			if (!r->in_string && !r->depth)
				return 1;
		} else if (c == '"') {
			r->in_string = true;
		} else if (c == '[' || c == '{') {
			r->depth++;
		} else if (c == ']' || c == '}') {
			if (r->depth <= 1) {
				*ret_used = r->depth ? i + 1 : i;
				return 1;
			}
			r->depth--;
		} else if (c == ',' && !r->depth) {
			*ret_used = i;
			return 1;
		}
	}
	*ret_used = len;
	return 0;
}

static int read_head(struct nd_heap_reader *r, const char *data, size_t len, size_t *ret_used,
		     struct nd_err *err)
{
	int ended = skip(r, data, len, ret_used);
	int ret = nd_buf_add(&r->head, data, *ret_used);

	if (ret == -ENOMEM)
		return nd_err_set(err, ret, "out of memory for its head");
	if (ret)
		return nd_err_set(err, -E2BIG, "its head has more than %u bytes", ND_HEAP_HEAD_MAX);
	if (!ended)
		return 0;
	ret = nd_heap_meta_decode(r->head.data, r->head.len, &r->columns.meta, err);
	nd_buf_fini(&r->head);
	return ret ? ret : 1;
}

/* The states in which many bytes are alike. Use at least one, or change the state. */
static int run(struct nd_heap_reader *r, const char *data, size_t len, uint64_t offset,
	       struct nd_err *err, size_t *ret_used)
{
	int ret;

	switch (r->state) {
	case VALUE:
		*ret_used = is_space(*data);
		if (!*ret_used)
			begin_value(r);
		return 0;
	case NUMBERS:
		ret = nd_heap_numbers_feed(&r->numbers, data, len, offset, ret_used, err);
		break;
	case STRINGS:
		ret = nd_heap_strings_feed(&r->strings, data, len, offset, ret_used, err);
		break;
	case HEAD:
		ret = read_head(r, data, len, ret_used, err);
		break;
	case SKIP:
		ret = skip(r, data, len, ret_used);
		break;
	default:
		*ret_used = 1;
		return step(r, *data, offset, err);
	}
	if (ret > 0)
		r->state = COMMA;
	return ret < 0 ? ret : 0;
}

static int read_text(void *arg, const char *data, size_t len)
{
	struct nd_heap_reader *r = arg;
	size_t at = 0, used;
	int ret = 0;

	while (at < len && !ret) {
		ret = run(r, data + at, len - at, r->offset, &r->err, &used);
		at += used;
		r->offset += used;
	}
	return ret;
}

static int begin_unpacking(struct nd_heap_reader *r)
{
	if (nd_gzip_is(r->magic, r->magic_len)) {
		r->packing = GZIP;
		r->gunzip = nd_gunzip_new(read_text, r);
		return r->gunzip ? 0 : -ENOMEM;
	}
	if (nd_unzstd_is(r->magic, r->magic_len)) {
		r->packing = ZSTD;
		r->unzstd = nd_unzstd_new(read_text, r);
		return r->unzstd ? 0 : -ENOMEM;
	}
	if (nd_heap_unpacker_is(r->magic, r->magic_len)) {
		r->packing = COLUMNS;
		r->unpacker = nd_heap_unpacker_new();
		if (!r->unpacker)
			return -ENOMEM;
		if (r->defers_edges)
			nd_heap_unpacker_defer_edges(r->unpacker);
		return 0;
	}
	r->packing = PLAIN;
	return 0;
}

static int unpack(struct nd_heap_reader *r, const void *data, size_t len)
{
	if (r->packing == GZIP)
		return nd_gunzip_feed(r->gunzip, data, len);
	if (r->packing == ZSTD)
		return nd_unzstd_feed(r->unzstd, data, len);
	if (r->packing == COLUMNS)
		return nd_heap_unpacker_feed(r->unpacker, data, len, &r->err);
	return read_text(r, data, len);
}

/* An error that has no words yet is of the unpacker. */
static int explain(struct nd_heap_reader *r, int ret)
{
	if (!ret || r->err.code)
		return ret;
	if (ret == -ENOMEM)
		return nd_err_set(&r->err, ret, "out of memory");
	return nd_err_set(&r->err, ret,
			  "its %s data is damaged or cut off, after %" PRIu64 " bytes of text",
			  r->packing == GZIP ? "gzip" : "zstd", r->offset);
}

/* Hand an error on. */
static int fail(const struct nd_heap_reader *r, int ret, struct nd_err *err)
{
	if (ret && err)
		*err = r->err;
	return ret;
}

static int feed(struct nd_heap_reader *r, const char *data, size_t len)
{
	size_t missing = MAGIC_BYTES - r->magic_len;
	int ret;

	if (r->packing == UNKNOWN) {
		if (missing > len)
			missing = len;
		memcpy(r->magic + r->magic_len, data, missing);
		r->magic_len += missing;
		if (r->magic_len < MAGIC_BYTES)
			return 0;
		data += missing;
		len -= missing;
		ret = begin_unpacking(r);
		if (!ret)
			ret = unpack(r, r->magic, r->magic_len);
		if (ret)
			return ret;
	}
	return unpack(r, data, len);
}

int nd_heap_reader_feed(struct nd_heap_reader *r, const void *data, size_t len, struct nd_err *err)
{
	return fail(r, explain(r, feed(r, data, len)), err);
}

void nd_heap_reader_defer_edges(struct nd_heap_reader *r)
{
	r->defers_edges = true;
}

double nd_heap_reader_get_share(const struct nd_heap_reader *r)
{
	const struct nd_heap_meta *meta = &r->columns.meta;
	const struct nd_heap *heap = r->columns.heap;
	double all = (double)meta->node_count * NODE_BYTES + (double)meta->edge_count * EDGE_BYTES;
	double now = (double)heap->node_count * NODE_BYTES + (double)heap->edge_count * EDGE_BYTES;

	return all > 0 ? now / all * NUMBERS_SHARE : 0;
}

/* Whether the packed data had an end, and the snapshot in it. */
static int end(struct nd_heap_reader *r)
{
	unsigned int missing = (NODES | EDGES | STRING_TABLE | SNAPSHOT) & ~r->seen;
	struct nd_err *err = &r->err;
	int ret = 0;

	if (r->packing == UNKNOWN)
		ret = read_text(r, r->magic, r->magic_len);
	else if (r->packing == GZIP)
		ret = nd_gunzip_finish(r->gunzip);
	else if (r->packing == ZSTD)
		ret = nd_unzstd_finish(r->unzstd);
	if (ret)
		return explain(r, ret);
	if (!r->offset)
		return nd_err_set(err, -EBADMSG, "it is empty");
	if (r->state != END) {
		nd_err_set(err, -EBADMSG, "it is cut off after byte %" PRIu64, r->offset);
		nd_err_hint(err, "take it again: it ends early when the process is killed or the "
				 "disk is full");
		return -EBADMSG;
	}
	if (missing)
		return nd_err_set(err, -EBADMSG, "not a heap snapshot: it has no '%s'",
				  missing & SNAPSHOT ? "snapshot"
				  : missing & NODES  ? "nodes"
				  : missing & EDGES  ? "edges"
						     : "strings");
	return 0;
}

int nd_heap_reader_finish(struct nd_heap_reader *r, struct nd_heap **ret_heap, struct nd_err *err)
{
	struct nd_heap *heap = r->columns.heap;
	int ret;

	if (r->packing == COLUMNS)
		return nd_heap_unpacker_finish(r->unpacker, ret_heap, err);
	ret = end(r);
	if (!ret) {
		heap->string_bytes = r->strings.bytes;
		heap->string_start = r->strings.start;
		heap->string_count = r->strings.count;
		r->strings = (struct nd_heap_strings){0};
		ret = nd_heap_columns_finish(&r->columns, &r->err);
	}
	if (ret)
		return fail(r, ret, err);
	*ret_heap = heap;
	r->columns.heap = NULL;
	return 0;
}
