/* SPDX-License-Identifier: Apache-2.0 */

/*
 * usage: show_v8 BINARY SAMPLES [NUMBER OUT]
 *
 * Name the samples of a fixture, one line each: what its .expected file says, once somebody has
 * compared it with the program. With NUMBER, from 1, write that sample alone, unpacked, to OUT.
 */

#include <stdio.h>
#include <stdlib.h>

#include "analyzer/gzip.h"
#include "analyzer/symbols/memory.h"
#include "common/buf.h"
#include "tests/tools/v8_fixture.h"

#define FILE_MAX (64u << 20)

static int read_file(const char *path, struct nd_buf *out)
{
	FILE *f = fopen(path, "re");
	size_t n = 0;
	char *at;

	while (f && (at = nd_buf_reserve(out, 65536)) && (n = fread(at, 1, 65536, f)))
		out->len += n;
	if (!f) {
		perror(path);
		return -1;
	}
	fclose(f);
	return nd_buf_error(out);
}

static int show(const struct v8_binary *binary, const struct v8_group *group, uint32_t index)
{
	struct nd_memory *memory = NULL;
	struct nd_buf image, text;
	int ret = -1;

	nd_buf_init(&image, FILE_MAX);
	nd_buf_init(&text, 1 << 20);
	if (!v8_group_get_image(group, index, &image))
		memory = nd_memory_new_image(image.data, image.len);
	if (memory)
		ret = v8_sample_name(&group->samples[index], binary, memory, &text);
	if (!ret)
		puts(text.data);
	nd_memory_free(memory);
	nd_buf_fini(&image);
	nd_buf_fini(&text);
	return ret;
}

static int write_file(const char *path, const char *data, size_t len)
{
	FILE *f = fopen(path, "we");
	size_t n = f ? fwrite(data, 1, len, f) : 0;

	if (!f || fclose(f) || n != len) {
		perror(path);
		return -1;
	}
	return 0;
}

/* Write one sample as a group of its own. */
static int extract(const struct v8_group *group, uint32_t index, const char *path)
{
	struct v8_group one = {0};
	struct v8_sample *sample = v8_group_add_sample(&one);
	struct nd_buf out;
	uint32_t i;
	int ret = sample ? 0 : -1;

	nd_buf_init(&out, FILE_MAX);
	if (sample)
		*sample = group->samples[index];
	for (i = 0; i < group->page_count && !ret; i++)
		if (group->pages[i].samples >> index & 1)
			ret = v8_group_add_page(&one, 0, group->pages[i].addr,
						group->pages[i].lines, group->pages[i].data);
	if (!ret && !v8_group_encode(&one, &out))
		ret = write_file(path, out.data, out.len);
	v8_group_fini(&one);
	nd_buf_fini(&out);
	return ret;
}

/* Show all samples, or extract the one of that number. */
static int use(const struct v8_binary *binary, const struct nd_buf *records, long wanted,
	       const char *path)
{
	const uint8_t *at = (const uint8_t *)records->data, *end = at + records->len;
	struct v8_group group = {0};
	long number = 0;
	uint32_t i;
	int ret = 0;

	while (at < end && !ret) {
		ret = v8_group_decode(&at, end, &group);
		for (i = 0; i < group.sample_count && !ret; i++)
			if (!wanted)
				ret = show(binary, &group, i);
			else if (++number == wanted)
				ret = extract(&group, i, path);
		v8_group_fini(&group);
	}
	return ret;
}

int main(int argc, char **argv)
{
	struct nd_buf packed, records;
	struct v8_binary binary;
	int ret = 1;

	nd_buf_init(&packed, FILE_MAX);
	nd_buf_init(&records, FILE_MAX);
	if (argc != 3 && argc != 5)
		fprintf(stderr, "usage: show_v8 BINARY SAMPLES [NUMBER OUT]\n");
	else if (v8_binary_read(argv[1], &binary) && !read_file(argv[2], &packed) &&
		 !nd_gunzip(packed.data, packed.len, &records))
		ret = use(&binary, &records, argc == 5 ? strtol(argv[3], NULL, 10) : 0, argv[4]);
	nd_buf_fini(&packed);
	nd_buf_fini(&records);
	return ret ? 1 : 0;
}
