/* SPDX-License-Identifier: Apache-2.0 */

/*
 * usage: capture_v8 PID COUNT FILE
 *
 * Sample a running node and append COUNT samples, which differ in what they show, to the fixture
 * FILE; print them named. Gives up after 20 seconds. Needs root.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/gzip.h"
#include "analyzer/profile/profile.h"
#include "analyzer/symbols/memory.h"
#include "analyzer/symbols/module.h"
#include "analyzer/symbols/process.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "probes/sampler.h"
#include "tests/tools/v8_fixture.h"

#define SECONDS 20
#define HZ	499

#define IMAGE_MAX (64u << 20)

/* Which lines of a page were read. */
struct mark {
	uint64_t addr;
	uint64_t lines;
};

#define MARKS_MAX V8_FIXTURE_PAGES_MAX

/* Calls shown in one go, of a few hundred characters each. */
#define SEEN_MAX 4096

struct capture {
	struct nd_profile *profile;
	struct nd_modules *modules;
	struct nd_process process;
	struct v8_binary binary;
	struct v8_group group;
	char *seen[SEEN_MAX]; /* calls that were shown already */
	size_t seen_count;
	long left;
	struct nd_buf image;
};

static struct mark marks[MARKS_MAX];
static size_t mark_count;

int __real_nd_memory_read(struct nd_memory *memory, uint64_t addr, void *buf, size_t len);
int __wrap_nd_memory_read(struct nd_memory *memory, uint64_t addr, void *buf, size_t len);
uint64_t __wrap_nd_memory_read_u64(struct nd_memory *memory, uint64_t addr);

static struct mark *find_mark(uint64_t addr)
{
	size_t i;

	for (i = 0; i < mark_count; i++)
		if (marks[i].addr == addr)
			return &marks[i];
	return NULL;
}

static void mark_line(uint64_t line)
{
	uint64_t addr = line & ~(uint64_t)(V8_FIXTURE_PAGE - 1);
	struct mark *mark = find_mark(addr);

	if (!mark && mark_count < MARKS_MAX) {
		mark = &marks[mark_count++];
		*mark = (struct mark){.addr = addr};
	}
	if (mark)
		mark->lines |= UINT64_C(1) << (line - addr) / V8_FIXTURE_LINE;
}

int __wrap_nd_memory_read(struct nd_memory *memory, uint64_t addr, void *buf, size_t len)
{
	int ret = __real_nd_memory_read(memory, addr, buf, len);
	uint64_t line;

	for (line = addr & ~(uint64_t)(V8_FIXTURE_LINE - 1); !ret && line < addr + len;
	     line += V8_FIXTURE_LINE)
		mark_line(line);
	return ret;
}

uint64_t __wrap_nd_memory_read_u64(struct nd_memory *memory, uint64_t addr)
{
	uint64_t word = 0;

	return __wrap_nd_memory_read(memory, addr, &word, sizeof(word)) ? 0 : word;
}

static void find_sites(struct capture *c, struct v8_sample *sample)
{
	const struct nd_map *map;
	struct nd_symbol *symbol;
	struct nd_site site;
	uint32_t i;

	for (i = 0; i < sample->cpu.depth; i++) {
		nd_process_find_site(&c->process, c->modules,
				     sample->cpu.frames[i].pc - (i ? 1 : 0), &site, &symbol);
		if (site.kind == ND_SITE_UNKNOWN && sample->cpu.frames[i].shared)
			site.kind = ND_SITE_JIT;
		sample->sites[i].kind = site.kind;
		snprintf(sample->sites[i].name, sizeof(sample->sites[i].name), "%s",
			 site.name ? site.name : "");
	}
	for (i = 0; i < ND_SAMPLE_TOP_WORDS; i++) {
		map = nd_process_find_map(&c->process, sample->cpu.top[i] - 1);
		if (map && nd_map_is_jit(map))
			sample->top_jit |= UINT32_C(1) << i;
	}
}

static bool is_seen(const struct capture *c, const char *call, size_t len)
{
	size_t i;

	for (i = 0; i < c->seen_count; i++)
		if (!strncmp(c->seen[i], call, len) && !c->seen[i][len])
			return true;
	return false;
}

/* Whether a line of calls shows one that was not shown yet, other than of a builtin. */
static bool is_new(struct capture *c, const char *line)
{
	bool found = false;
	size_t len;

	for (; *line; line += len + 2 * (line[len] == ';')) {
		len = strcspn(line, ";");
		if (!memchr(line, '(', len) || is_seen(c, line, len) || c->seen_count == SEEN_MAX)
			continue;
		c->seen[c->seen_count] = strndup(line, len);
		if (!c->seen[c->seen_count])
			return false;
		c->seen_count++;
		found = true;
	}
	return found;
}

static int add_pages(struct capture *c, uint32_t index)
{
	const char *at = c->image.data, *end = at + c->image.len;
	struct mark *mark;
	uint64_t addr;
	int ret = 0;

	for (; at < end && !ret; at += sizeof(addr) + V8_FIXTURE_PAGE) {
		memcpy(&addr, at, sizeof(addr));
		mark = find_mark(addr);
		if (mark)
			ret = v8_group_add_page(&c->group, index, addr, mark->lines,
						(const uint8_t *)at + sizeof(addr));
	}
	return ret;
}

/* Whether the sample is named the same without the process. */
static bool is_whole(const struct capture *c, uint32_t index, const char *line)
{
	struct nd_memory *memory = NULL;
	struct nd_buf image, again;
	bool same = false;

	nd_buf_init(&image, IMAGE_MAX);
	nd_buf_init(&again, IMAGE_MAX);
	if (!v8_group_get_image(&c->group, index, &image))
		memory = nd_memory_new_image(image.data, image.len);
	if (memory && !v8_sample_name(&c->group.samples[index], &c->binary, memory, &again))
		same = !strcmp(again.data, line);
	nd_memory_free(memory);
	nd_buf_fini(&image);
	nd_buf_fini(&again);
	return same;
}

static bool has_js(const struct nd_sample_cpu *sample)
{
	uint32_t i;

	for (i = 0; i < sample->depth; i++)
		if (sample->frames[i].shared)
			return true;
	return false;
}

/* Name the sample, noting what is read for it. */
static int name_sample(struct capture *c, const struct v8_sample *sample, struct nd_buf *line)
{
	int ret;

	mark_count = 0;
	nd_buf_reset(&c->image);
	nd_memory_forget(c->process.memory);
	nd_memory_save(c->process.memory, &c->image);
	ret = v8_sample_name(sample, &c->binary, c->process.memory, line);
	nd_memory_save(c->process.memory, NULL);
	return ret;
}

static int handle(void *arg, const struct nd_sample_header *record)
{
	const struct nd_sample_cpu *cpu = (const struct nd_sample_cpu *)record;
	struct capture *c = arg;
	uint32_t index = c->group.sample_count;
	struct v8_sample *sample;
	struct nd_buf line;
	int ret = 0;

	if (record->kind != ND_SAMPLE_CPU || !has_js(cpu))
		return 0;
	sample = v8_group_add_sample(&c->group);
	if (!sample)
		return -ECANCELED;
	memcpy(&sample->cpu, cpu,
	       offsetof(struct nd_sample_cpu, frames) + cpu->depth * sizeof(cpu->frames[0]));
	find_sites(c, sample);
	nd_buf_init(&line, 1 << 20);
	if (name_sample(c, sample, &line) || !is_new(c, line.data)) {
		c->group.sample_count--;
	} else {
		ret = add_pages(c, index);
		puts(line.data);
		c->left--;
		if (!is_whole(c, index, line.data))
			fprintf(stderr, "capture_v8: the process changed: %s\n", line.data);
	}
	nd_buf_fini(&line);
	return ret || c->left > 0 ? ret : -ECANCELED;
}

static int sample_process(struct capture *c, pid_t pid, struct nd_err *err)
{
	struct nd_sampler_options options = {.hz = HZ};
	uint64_t end = nd_clock_monotonic_ns() + SECONDS * ND_NSEC_PER_SEC;
	struct nd_walk_layout walk;
	struct nd_sampler *sampler;
	int ret = nd_sampler_open(&options, &sampler, NULL, err);

	if (ret)
		return ret;
	nd_v8_layout_get_walk(&c->binary.layout, &walk);
	ret = nd_sampler_add_process(sampler, pid, false, err);
	if (!ret && nd_sampler_set_layout(sampler, pid, &walk))
		ret = nd_err_set(err, -EIO, "cannot set the layout");
	while (!ret && nd_clock_monotonic_ns() < end && c->left > 0)
		if (nd_sampler_poll(sampler, 100, handle, c) < 0)
			break;
	nd_sampler_close(sampler);
	return ret;
}

static int capture(struct capture *c, pid_t pid, struct nd_err *err)
{
	const struct nd_v8_layout *layout;
	int ret;

	c->profile = nd_profile_new(false);
	c->modules = c->profile ? nd_modules_new(c->profile) : NULL;
	if (!c->modules)
		return nd_err_set(err, -ENOMEM, "out of memory");
	ret = nd_process_init(&c->process, pid, c->modules, c->profile, false, err);
	if (ret)
		return ret;
	layout = nd_module_get_v8(c->process.v8_module, err);
	c->binary.layout = *layout;
	if (!nd_module_read(c->process.v8_module, layout->bytecode_sizes_vaddr,
			    c->binary.bytecode_sizes, (size_t)3 * layout->bytecode_count))
		c->binary.layout.bytecode_count = 0;
	ret = sample_process(c, pid, err);
	nd_process_fini(&c->process);
	return ret;
}

static int write_group(const struct v8_group *group, const char *path)
{
	FILE *f = fopen(path, "ae");
	struct nd_buf out, packed;
	size_t n = 0;

	nd_buf_init(&out, IMAGE_MAX);
	nd_buf_init(&packed, IMAGE_MAX);
	if (f && !v8_group_encode(group, &out) && !nd_gzip(out.data, out.len, &packed))
		n = fwrite(packed.data, 1, packed.len, f);
	if (!f || fclose(f) || !n || n != packed.len) {
		perror(path);
		n = 0;
	}
	nd_buf_fini(&out);
	nd_buf_fini(&packed);
	return n ? 0 : -1;
}

static void fini(struct capture *c)
{
	while (c->seen_count)
		free(c->seen[--c->seen_count]);
	v8_group_fini(&c->group);
	nd_modules_free(c->modules);
	nd_profile_free(c->profile);
	nd_buf_fini(&c->image);
}

int main(int argc, char **argv)
{
	static struct capture c;
	struct nd_err err = {0};
	int ret;

	if (argc != 4) {
		fprintf(stderr, "usage: capture_v8 PID COUNT FILE\n");
		return 2;
	}
	nd_buf_init(&c.image, IMAGE_MAX);
	c.left = strtol(argv[2], NULL, 10);
	ret = capture(&c, (pid_t)strtol(argv[1], NULL, 10), &err);
	if (ret)
		fprintf(stderr, "capture_v8: %s\n", err.what);
	else
		ret = write_group(&c.group, argv[3]);
	fini(&c);
	return ret ? 1 : 0;
}
