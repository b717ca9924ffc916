/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/heap_room.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "cli/term.h"

/* V8's own objects, code and strings, of a program that has nothing else. */
#define LEAST_BYTES (8u << 20)

/* 1.5 to 1.9 bytes for each byte of the heap were measured; packed a tenth of that or less. */
#define BYTES_PER_BYTE 2
#define PACKED_SHARE   4

/* Heaps grow: so much more than the last one took. */
#define MORE_SHARE 4

uint64_t heap_room_expect(uint64_t used_bytes, enum heap_format format)
{
	uint64_t bytes = used_bytes * BYTES_PER_BYTE + LEAST_BYTES;

	return format == HEAP_FORMAT_ND ? bytes / PACKED_SHARE : bytes;
}

/* UINT64_MAX where nothing says so. */
static uint64_t get_free(const char *folder)
{
	struct statvfs disk;

	if (statvfs(folder ? folder : ".", &disk))
		return UINT64_MAX;
	return (uint64_t)disk.f_bavail * disk.f_frsize;
}

bool heap_room_is_enough(struct heap_room *room, const char *folder, uint64_t expected_bytes,
			 bool is_asked)
{
	uint64_t need = room->known_bytes ? room->known_bytes : expected_bytes;
	uint64_t free_bytes = get_free(folder);

	if (free_bytes >= need) {
		if (room->is_short)
			term_note("there is room again");
		room->is_short = false;
		return true;
	}
	if (!room->is_short || is_asked)
		term_note("no snapshot: '%s' has %" PRIu64 " MiB free, and one may take %" PRIu64
			  " MiB; the next one is taken when there is room",
			  folder ? folder : ".", free_bytes >> 20, (need >> 20) + 1);
	room->is_short = true;
	room->left_out++;
	return false;
}

int heap_room_count(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	int count = 0;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir)))
		count += !strncmp(entry->d_name, "heap-", 5) &&
			 heap_format_of_path(entry->d_name) != HEAP_FORMAT_USUAL;
	closedir(dir);
	return count;
}

void heap_room_learn(struct heap_room *room, const char *path)
{
	struct stat file;

	if (!stat(path, &file))
		room->known_bytes = (uint64_t)file.st_size + (uint64_t)file.st_size / MORE_SHARE;
}

void heap_room_learn_full(struct heap_room *room, const char *folder)
{
	uint64_t free_bytes = get_free(folder);

	if (free_bytes != UINT64_MAX && room->known_bytes < free_bytes + free_bytes / MORE_SHARE)
		room->known_bytes = free_bytes + free_bytes / MORE_SHARE + 1;
}
