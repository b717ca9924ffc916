/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/profile/import.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/profile/frame_text.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/intern.h"
#include "proto/limits.h"

/* What a text was found to be, so that each is taken apart once. */
struct known_frame {
	uint32_t frame;
	enum nd_tier tier;
	bool inlined;
};

struct reader {
	struct nd_profile *profile;
	struct nd_intern *texts; /* an id less 1 is an index into `known` */
	struct known_frame *known;
	size_t known_count;
	size_t known_cap;
	struct nd_call calls[ND_STACK_DEPTH_MAX];
	struct nd_buf text; /* scratch: one frame */
	size_t line;	    /* being read, from 1 */
	uint64_t total;
	struct nd_err *err;
};

static int bad_line(const struct reader *reader, const char *what)
{
	return nd_err_set(reader->err, -EBADMSG, "not folded stacks: line %zu %s", reader->line,
			  what);
}

static int no_memory(const struct reader *reader)
{
	return nd_err_set_errno(reader->err, -ENOMEM, "cannot read folded stacks");
}

static int learn_frame(struct reader *reader, const char *text, size_t len)
{
	struct nd_frame_text decoded;
	struct known_frame *known;
	size_t cap = reader->known_cap ? 2 * reader->known_cap : 64;

	if (reader->known_count == reader->known_cap) {
		known = reallocarray(reader->known, cap, sizeof(*known));
		if (!known)
			return -ENOMEM;
		reader->known = known;
		reader->known_cap = cap;
	}
	nd_buf_reset(&reader->text);
	if (nd_buf_add(&reader->text, text, len))
		return nd_buf_error(&reader->text);
	nd_frame_text_decode(reader->text.data, &decoded);
	known = &reader->known[reader->known_count];
	known->tier = decoded.tier;
	known->inlined = decoded.inlined;
	if (nd_profile_add_frame(reader->profile, &decoded.frame, &known->frame))
		return -ENOMEM;
	reader->known_count++;
	return 0;
}

/* Every text that is interned is learnt at once, so its id, less that of "", is its index. */
static int find_frame(struct reader *reader, const char *text, size_t len, struct nd_call *ret_call)
{
	const struct known_frame *known;
	uint32_t id;

	if (!len) {
		text = "[unknown]";
		len = strlen(text);
	}
	if (nd_intern_add(reader->texts, text, len, &id))
		return -ENOMEM;
	if (id > reader->known_count && learn_frame(reader, text, len))
		return -ENOMEM;
	known = &reader->known[id - 1];
	*ret_call = (struct nd_call){
		.frame = known->frame, .tier = known->tier, .inlined = known->inlined};
	return 0;
}

static const char *find_last(const char *start, const char *end, char c)
{
	while (end > start && end[-1] != c)
		end--;
	return end;
}

static int add_stack(struct reader *reader, const char *start, const char *end, uint64_t weight)
{
	struct nd_stack stack = {.calls = reader->calls, .weight = weight, .count = weight};
	const char *frame = end;

	/* From the leaf on, because the root is what goes when a stack is too deep. */
	while (stack.depth < ND_STACK_DEPTH_MAX) {
		frame = find_last(start, end, ';');
		if (find_frame(reader, frame, (size_t)(end - frame), &reader->calls[stack.depth++]))
			return no_memory(reader);
		if (frame == start)
			break;
		end = frame - 1;
	}
	if (frame != start)
		nd_profile_add_loss(reader->profile, ND_LOSS_TRUNCATED, weight);
	switch (nd_profile_add_stack(reader->profile, &stack)) {
	case 0:
		return 0;
	case -E2BIG:
		return nd_err_set(reader->err, -E2BIG, "folded stacks have more than %u nodes",
				  ND_PROFILE_NODES_MAX);
	default:
		return no_memory(reader);
	}
}

/* A decimal number from `start` to `end`, rounded to a whole one. */
static bool parse_weight(const char *start, const char *end, uint64_t *ret_weight)
{
	uint64_t weight = 0;

	if (start == end || !isdigit((unsigned char)*start))
		return false;
	for (; start < end && isdigit((unsigned char)*start); start++)
		if (__builtin_mul_overflow(weight, 10, &weight) ||
		    __builtin_add_overflow(weight, *start - '0', &weight))
			return false;
	if (start < end && *start++ != '.')
		return false;
	if (start < end && *start >= '5')
		weight++;
	for (; start < end; start++)
		if (!isdigit((unsigned char)*start))
			return false;
	*ret_weight = weight;
	return weight <= INT64_MAX;
}

/* Blank lines and comments say nothing; "#priv" is a method's name. */
static bool is_empty(const char *start, const char *end)
{
	return start == end || (*start == '#' && (start + 1 == end || !isgraph(start[1])));
}

static int read_line(struct reader *reader, const char *start, const char *end)
{
	const char *number, *stack_end;
	uint64_t weight;

	while (end > start && isspace((unsigned char)end[-1]))
		end--;
	if (is_empty(start, end))
		return 0;
	if (memchr(start, '\0', (size_t)(end - start)))
		return bad_line(reader, "has a NUL byte");
	for (number = end; number > start && !isspace((unsigned char)number[-1]);)
		number--;
	if (!parse_weight(number, end, &weight))
		return bad_line(reader, "does not end with a number");
	for (stack_end = number; stack_end > start && isspace((unsigned char)stack_end[-1]);)
		stack_end--;
	if (stack_end == start)
		return bad_line(reader, "has no stack");
	if (__builtin_add_overflow(reader->total, weight, &reader->total) ||
	    reader->total > INT64_MAX)
		return bad_line(reader, "makes the sum too large");
	return weight ? add_stack(reader, start, stack_end, weight) : 0;
}

static int read_lines(struct reader *reader, const char *data, size_t len)
{
	const char *end = data + len, *next;
	int ret = 0;

	if (len >= 3 && !memcmp(data, "\xef\xbb\xbf", 3))
		data += 3;
	for (; data < end && !ret; data = next) {
		reader->line++;
		next = memchr(data, '\n', (size_t)(end - data));
		next = next ? next + 1 : end;
		ret = read_line(reader, data, next);
	}
	return ret;
}

static int init(struct reader *reader)
{
	static const struct nd_profile_info info = {
		.sampler = "imported folded stacks", .sample_type = "samples", .unit = "count"};

	reader->profile = nd_profile_new(false);
	reader->texts = nd_intern_new();
	if (!reader->profile || !reader->texts || nd_profile_set_info(reader->profile, &info))
		return no_memory(reader);
	return 0;
}

int nd_import_folded(const void *data, size_t len, struct nd_profile **ret_profile,
		     struct nd_err *err)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	int ret;

	if (!reader)
		return nd_err_set_errno(err, -ENOMEM, "cannot read folded stacks");
	reader->err = err;
	nd_buf_init(&reader->text, ND_IMPORT_MAX);
	ret = init(reader);
	if (!ret)
		ret = read_lines(reader, data, len);
	if (ret)
		nd_profile_free(reader->profile);
	else
		*ret_profile = reader->profile;
	nd_buf_fini(&reader->text);
	nd_intern_free(reader->texts);
	free(reader->known);
	free(reader);
	return ret;
}
