/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Names samples over hostile memory. The first byte chooses the binary whose layout V8's objects
 * have, the others are a group of samples (tests/tools/v8_fixture.h).
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/symbols/memory.h"
#include "common/buf.h"
#include "tests/tools/v8_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

/* Of libFuzzer; not there, and not called, when inputs are only replayed. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size) __attribute__((weak));

#define IMAGE_MAX (16u << 20)

/* More of either only takes longer. */
#define FRAMES_MAX 64
#define PAGES_MAX  512

static const char *const versions[] = {"18.20.8", "20.20.2", "22.23.3",
				       "24.21.0", "25.9.0",  "26.10.0"};

#define VERSIONS (sizeof(versions) / sizeof(versions[0]))

static const struct v8_binary *get_binary(size_t i)
{
	static struct v8_binary binaries[VERSIONS];
	static bool known[VERSIONS];
	char path[4096];

	snprintf(path, sizeof(path), "%s/v8dbg-%s.txt", ND_TEST_DATA, versions[i]);
	if (!known[i] && !v8_binary_read(path, &binaries[i]))
		abort();
	known[i] = true;
	return &binaries[i];
}

static void name(const struct v8_binary *binary, const struct v8_group *group, uint32_t index)
{
	struct nd_memory *memory = NULL;
	struct nd_buf image, line;

	nd_buf_init(&image, IMAGE_MAX);
	nd_buf_init(&line, 1 << 20);
	if (!v8_group_get_image(group, index, &image))
		memory = nd_memory_new_image(image.data, image.len);
	if (memory)
		v8_sample_name(&group->samples[index], binary, memory, &line);
	nd_memory_free(memory);
	nd_buf_fini(&image);
	nd_buf_fini(&line);
}

/* Every other time give one word the value of another, so that objects point to wrong objects. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	size_t words = size ? (size - 1) / 8 : 0;

	if (seed & 1 || !words)
		return LLVMFuzzerMutate(data, size, max_size);
	memmove(data + 1 + (seed >> 1) % words * 8, data + 1 + seed / 3 % words * 8, 8);
	return size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *at = data + 1;
	struct v8_group group = {0};
	uint32_t i;

	if (!size || v8_group_decode(&at, data + size, &group))
		return 0;
	for (i = 0; i < group.sample_count && group.page_count <= PAGES_MAX; i++)
		if (group.samples[i].cpu.depth <= FRAMES_MAX)
			name(get_binary(data[0] % VERSIONS), &group, i);
	v8_group_fini(&group);
	return 0;
}
