/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tools/v8_fixture.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/profile/profile.h"
#include "analyzer/symbols/calls.h"
#include "analyzer/symbols/memory.h"
#include "common/buf.h"
#include "common/err.h"

#define MAGIC "ndv8smp1"

#define LINES (V8_FIXTURE_PAGE / V8_FIXTURE_LINE)

/* What a group begins with. */
struct group_record {
	char magic[8];
	uint32_t samples;
	uint32_t pages;
};

struct sample_record {
	uint64_t pc;
	uint64_t sp;
	uint64_t fp;
	uint64_t bytecode_offset;
	uint64_t top[ND_SAMPLE_TOP_WORDS];
	uint32_t top_jit;
	uint32_t depth; /* frames that follow */
};

struct frame_record {
	struct nd_sample_frame frame;
	uint32_t kind;
	char name[52];
};

struct page_record {
	uint64_t addr;
	uint64_t lines; /* those that follow */
	uint32_t samples;
	uint32_t pad;
};

/* Two hexadecimal digits a byte. */
static int decode_sizes(const char *hex, struct v8_binary *binary)
{
	size_t count = strspn(hex, "0123456789abcdef") / 2, i;
	unsigned int byte;

	if (count > sizeof(binary->bytecode_sizes) || count % 3)
		return -EBADMSG;
	for (i = 0; i < count; i++) {
		sscanf(hex + 2 * i, "%2x", &byte);
		binary->bytecode_sizes[i] = (uint8_t)byte;
	}
	binary->layout.bytecode_count = (uint32_t)count / 3;
	return 0;
}

static int decode_line(const char *line, struct nd_v8_constants *constants,
		       struct nd_v8_version *version, struct v8_binary *binary)
{
	char name[256];
	int value;

	if (sscanf(line, "v8 %d.%d.%d.%d", &version->major, &version->minor, &version->build,
		   &version->patch) == 4)
		return 0;
	if (!strncmp(line, "bytecode_sizes ", 15))
		return decode_sizes(line + 15, binary);
	if (sscanf(line, "builtins_size %" SCNu64, &binary->layout.builtins_size) == 1)
		return 0;
	if (sscanf(line, "%255s %d", name, &value) != 2)
		return -EBADMSG;
	return nd_v8_constants_add(constants, name, value);
}

/* Of the binary only what is not a constant: its bytecodes, and the size of its builtins. */
static int read_constants(const char *path, struct nd_v8_constants *constants,
			  struct nd_v8_version *ret_version, struct v8_binary *ret_binary)
{
	FILE *f = fopen(path, "re");
	char line[2048];
	int ret = 0;

	if (!f)
		return -errno;
	memset(ret_binary, 0, sizeof(*ret_binary));
	while (!ret && fgets(line, sizeof(line), f))
		ret = decode_line(line, constants, ret_version, ret_binary);
	fclose(f);
	return ret;
}

bool v8_binary_read(const char *path, struct v8_binary *ret_binary)
{
	struct nd_v8_constants *constants = nd_v8_constants_new();
	struct nd_v8_version version = {0};
	struct nd_v8_layout layout;
	struct nd_err err = {0};
	int ret = -ENOMEM;

	if (constants)
		ret = read_constants(path, constants, &version, ret_binary);
	if (ret)
		nd_err_set_errno(&err, ret, "cannot read '%s'", path);
	else
		ret = nd_v8_layout_derive(constants, &version, &layout, &err);
	nd_v8_constants_free(constants);
	if (ret) {
		fprintf(stderr, "%s\n", err.what);
		return false;
	}
	layout.bytecode_count = ret_binary->layout.bytecode_count;
	layout.builtins_size = ret_binary->layout.builtins_size;
	ret_binary->layout = layout;
	return true;
}

struct v8_sample *v8_group_add_sample(struct v8_group *group)
{
	struct v8_sample *grown;

	if (group->sample_count == V8_FIXTURE_SAMPLES_MAX)
		return NULL;
	grown = reallocarray(group->samples, group->sample_count + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	group->samples = grown;
	return memset(&grown[group->sample_count++], 0, sizeof(*grown));
}

static bool agrees(const struct v8_page *page, uint64_t addr, uint64_t lines, const uint8_t *data)
{
	size_t line;

	if (page->addr != addr)
		return false;
	for (line = 0; line < LINES; line++)
		if ((page->lines & lines) >> line & 1 &&
		    memcmp(page->data + line * V8_FIXTURE_LINE, data + line * V8_FIXTURE_LINE,
			   V8_FIXTURE_LINE) != 0)
			return false;
	return true;
}

static struct v8_page *add_empty_page(struct v8_group *group)
{
	size_t count = group->page_count;
	struct v8_page *grown;

	if (count >= V8_FIXTURE_PAGES_MAX)
		return NULL;
	if ((count & (count - 1)) == 0) {
		grown = reallocarray(group->pages, count ? count * 2 : 1, sizeof(*grown));
		if (!grown)
			return NULL;
		group->pages = grown;
	}
	group->page_count++;
	return memset(&group->pages[count], 0, sizeof(struct v8_page));
}

int v8_group_add_page(struct v8_group *group, uint32_t index, uint64_t addr, uint64_t lines,
		      const uint8_t *data)
{
	struct v8_page *page;
	size_t i = 0, line;

	while (i < group->page_count && !agrees(&group->pages[i], addr, lines, data))
		i++;
	if (i == group->page_count && !add_empty_page(group))
		return i >= V8_FIXTURE_PAGES_MAX ? -E2BIG : -ENOMEM;
	page = &group->pages[i];
	page->addr = addr;
	page->lines |= lines;
	page->samples |= UINT32_C(1) << index;
	for (line = 0; line < LINES; line++)
		if (lines >> line & 1)
			memcpy(page->data + line * V8_FIXTURE_LINE, data + line * V8_FIXTURE_LINE,
			       V8_FIXTURE_LINE);
	return 0;
}

int v8_group_get_image(const struct v8_group *group, uint32_t index, struct nd_buf *image)
{
	const struct v8_page *page;
	uint32_t i;

	for (i = 0; i < group->page_count; i++) {
		page = &group->pages[i];
		if (!(page->samples >> index & 1))
			continue;
		nd_buf_add(image, &page->addr, sizeof(page->addr));
		nd_buf_add(image, page->data, sizeof(page->data));
	}
	return nd_buf_error(image);
}

void v8_group_fini(struct v8_group *group)
{
	free(group->samples);
	free(group->pages);
	*group = (struct v8_group){0};
}

static bool take(const uint8_t **at, const uint8_t *end, void *ret, size_t len)
{
	if ((size_t)(end - *at) < len)
		return false;
	memcpy(ret, *at, len);
	*at += len;
	return true;
}

static int decode_sample(const uint8_t **at, const uint8_t *end, struct v8_sample *sample)
{
	struct sample_record record;
	struct frame_record frame;
	uint32_t i;

	if (!take(at, end, &record, sizeof(record)) || !record.depth ||
	    record.depth > ND_SAMPLE_FRAMES_MAX)
		return -EBADMSG;
	sample->cpu.header.kind = ND_SAMPLE_CPU;
	sample->cpu.pc = record.pc;
	sample->cpu.sp = record.sp;
	sample->cpu.fp = record.fp;
	sample->cpu.bytecode_offset = record.bytecode_offset;
	memcpy(sample->cpu.top, record.top, sizeof(record.top));
	sample->cpu.depth = record.depth;
	sample->cpu.has_layout = 1;
	sample->top_jit = record.top_jit;
	for (i = 0; i < record.depth; i++) {
		if (!take(at, end, &frame, sizeof(frame)) || frame.kind > ND_SITE_JIT)
			return -EBADMSG;
		sample->cpu.frames[i] = frame.frame;
		sample->sites[i].kind = frame.kind;
		memcpy(sample->sites[i].name, frame.name, sizeof(frame.name));
		sample->sites[i].name[sizeof(frame.name) - 1] = '\0';
	}
	return 0;
}

static int decode_page(const uint8_t **at, const uint8_t *end, struct v8_page *page)
{
	struct page_record record;
	size_t line;

	if (!take(at, end, &record, sizeof(record)))
		return -EBADMSG;
	page->addr = record.addr;
	page->lines = record.lines;
	page->samples = record.samples;
	for (line = 0; line < LINES; line++)
		if (page->lines >> line & 1 &&
		    !take(at, end, page->data + line * V8_FIXTURE_LINE, V8_FIXTURE_LINE))
			return -EBADMSG;
	return 0;
}

static int decode_group(const uint8_t **at, const uint8_t *end, struct v8_group *group)
{
	struct group_record record;
	struct v8_sample *sample;
	struct v8_page *page;
	uint32_t i;
	int ret = 0;

	if (!take(at, end, &record, sizeof(record)) || memcmp(record.magic, MAGIC, 8) != 0 ||
	    record.samples > V8_FIXTURE_SAMPLES_MAX || record.pages > V8_FIXTURE_PAGES_MAX)
		return -EBADMSG;
	for (i = 0; i < record.samples && !ret; i++) {
		sample = v8_group_add_sample(group);
		ret = sample ? decode_sample(at, end, sample) : -ENOMEM;
	}
	for (i = 0; i < record.pages && !ret; i++) {
		page = add_empty_page(group);
		ret = page ? decode_page(at, end, page) : -ENOMEM;
	}
	return ret;
}

int v8_group_decode(const uint8_t **at, const uint8_t *end, struct v8_group *ret_group)
{
	int ret;

	*ret_group = (struct v8_group){0};
	ret = decode_group(at, end, ret_group);
	if (ret)
		v8_group_fini(ret_group);
	return ret;
}

static void encode_sample(const struct v8_sample *sample, struct nd_buf *out)
{
	struct frame_record frame;
	struct sample_record record = {
		.pc = sample->cpu.pc,
		.sp = sample->cpu.sp,
		.fp = sample->cpu.fp,
		.bytecode_offset = sample->cpu.bytecode_offset,
		.top_jit = sample->top_jit,
		.depth = sample->cpu.depth,
	};
	uint32_t i;

	memcpy(record.top, sample->cpu.top, sizeof(record.top));
	nd_buf_add(out, &record, sizeof(record));
	for (i = 0; i < record.depth; i++) {
		frame.frame = sample->cpu.frames[i];
		frame.kind = sample->sites[i].kind;
		memcpy(frame.name, sample->sites[i].name, sizeof(frame.name));
		nd_buf_add(out, &frame, sizeof(frame));
	}
}

int v8_group_encode(const struct v8_group *group, struct nd_buf *out)
{
	struct group_record record = {
		.magic = MAGIC, .samples = group->sample_count, .pages = group->page_count};
	struct page_record header = {0};
	const struct v8_page *page;
	uint32_t i, line;

	nd_buf_add(out, &record, sizeof(record));
	for (i = 0; i < group->sample_count; i++)
		encode_sample(&group->samples[i], out);
	for (i = 0; i < group->page_count; i++) {
		page = &group->pages[i];
		header.addr = page->addr;
		header.lines = page->lines;
		header.samples = page->samples;
		nd_buf_add(out, &header, sizeof(header));
		for (line = 0; line < LINES; line++)
			if (page->lines >> line & 1)
				nd_buf_add(out, page->data + line * V8_FIXTURE_LINE,
					   V8_FIXTURE_LINE);
	}
	return nd_buf_error(out);
}

static bool is_jit(void *arg, uint64_t address)
{
	const struct v8_sample *sample = arg;
	int i;

	for (i = 0; i < ND_SAMPLE_TOP_WORDS; i++)
		if (sample->cpu.top[i] - 1 == address)
			return sample->top_jit >> i & 1;
	return false;
}

static int add_calls(const struct v8_sample *sample, struct nd_v8 *v8, struct nd_profile *profile,
		     struct nd_calls *calls)
{
	const struct v8_site *from;
	struct nd_site site;
	struct nd_frame frame;
	uint32_t i;

	for (i = 0; i < sample->cpu.depth; i++) {
		from = &sample->sites[i];
		site = (struct nd_site){
			.kind = from->kind,
			.pc = sample->cpu.frames[i].pc - (i ? 1 : 0),
			.has_frame = *from->name != '\0',
			.name = *from->name ? from->name : NULL,
		};
		frame = (struct nd_frame){.name = from->name, .kind = ND_FRAME_BUILTIN};
		if (site.has_frame && nd_profile_add_frame(profile, &frame, &site.frame))
			return -ENOMEM;
		nd_v8_add_calls(v8, 1, &sample->cpu, i, &site, calls);
	}
	return 0;
}

static void print_call(const struct nd_call *call, const struct nd_frame *frame, struct nd_buf *out)
{
	nd_buf_add_str(out, frame->name);
	if (frame->line)
		nd_buf_addf(out, " (%s:%u:%u)", frame->file, frame->line, frame->column);
	else if (*frame->file)
		nd_buf_addf(out, " (%s)", frame->file);
	if (call->line)
		nd_buf_addf(out, " @%u", call->line);
	if (call->tier)
		nd_buf_addf(out, " %s", nd_tier_name(call->tier));
	if (call->inlined)
		nd_buf_add_str(out, " inlined");
}

static void print_calls(const struct nd_profile *profile, const struct nd_calls *calls,
			struct nd_buf *out)
{
	uint32_t count;
	const struct nd_frame *frames = nd_profile_frames(profile, &count);
	size_t i = calls->depth;

	while (i > 0 && frames[calls->call[i - 1].frame].kind == ND_FRAME_BUILTIN)
		i--;
	while (i-- > 0) {
		print_call(&calls->call[i], &frames[calls->call[i].frame], out);
		nd_buf_add_str(out, i ? "; " : "");
	}
}

int v8_sample_name(const struct v8_sample *sample, const struct v8_binary *binary,
		   struct nd_memory *memory, struct nd_buf *out)
{
	struct nd_profile *profile = nd_profile_new(false);
	struct nd_calls *calls = calloc(1, sizeof(*calls));
	struct nd_v8_options options = {
		.layout = &binary->layout,
		.memory = memory,
		.profile = profile,
		.bytecode_sizes = binary->layout.bytecode_count ? binary->bytecode_sizes : NULL,
		.is_jit = is_jit,
		.arg = (void *)(uintptr_t)sample,
	};
	struct nd_v8 *v8 = profile && calls ? nd_v8_new(&options) : NULL;
	int ret = v8 ? add_calls(sample, v8, profile, calls) : -ENOMEM;

	if (!ret) {
		print_calls(profile, calls, out);
		ret = nd_buf_error(out);
	}
	nd_v8_free(v8);
	nd_profile_free(profile);
	free(calls);
	return ret;
}
