/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/export/queue.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analyzer/export/options.h"
#include "common/buf.h"
#include "common/err.h"
#include "proto/limits.h"

#define LOCK	  "lock"
#define TEMPORARY "new.tmp"
#define NAME_SIZE 96

struct entry {
	struct nd_queued queued;
	char *data; /* in memory only */
};

struct nd_export_queue {
	int folder; /* -1: in memory */
	int lock;
	uint64_t max_bytes;
	uint64_t bytes;
	uint64_t next_id;
	struct entry *entries; /* the oldest first */
	size_t count;
	size_t room;
	uint64_t dropped_items[ND_OTLP_SIGNALS];
	uint64_t damaged;
};

static void make_name(const struct nd_queued *queued, char *name)
{
	snprintf(name, NAME_SIZE, "%020" PRIu64 "-%s-%" PRIu64 "%s", queued->id,
		 nd_export_signal_name(queued->signal), queued->items,
		 nd_packing_extension(queued->packing));
}

/* Take a name apart; one that would be written in another way is none of ours. */
static bool read_name(const char *name, struct nd_queued *ret_queued)
{
	char word[16], again[NAME_SIZE];
	int signal, packing;

	if (sscanf(name, "%20" SCNu64 "-%15[a-z]-%20" SCNu64, &ret_queued->id, word,
		   &ret_queued->items) != 3)
		return false;
	for (signal = 0; signal < ND_OTLP_SIGNALS; signal++)
		for (packing = ND_PACKING_GZIP; packing < ND_PACKINGS; packing++) {
			ret_queued->signal = (enum nd_otlp_signal)signal;
			ret_queued->packing = (enum nd_packing)packing;
			make_name(ret_queued, again);
			if (!strcmp(name, again))
				return true;
		}
	return false;
}

static int append(struct nd_export_queue *queue, const struct entry *entry)
{
	size_t room = queue->room ? queue->room * 2 : 64;
	struct entry *grown;

	if (queue->count == queue->room) {
		grown = reallocarray(queue->entries, room, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		queue->entries = grown;
		queue->room = room;
	}
	queue->entries[queue->count++] = *entry;
	queue->bytes += entry->queued.bytes;
	return 0;
}

static void remove_at(struct nd_export_queue *queue, size_t at)
{
	struct entry *entry = &queue->entries[at];
	char name[NAME_SIZE];

	if (queue->folder >= 0) {
		make_name(&entry->queued, name);
		unlinkat(queue->folder, name, 0);
	}
	free(entry->data);
	queue->bytes -= entry->queued.bytes;
	queue->count--;
	memmove(entry, entry + 1, (queue->count - at) * sizeof(*entry));
}

/* Drop the oldest until one more of `bytes` fits. */
static void make_room(struct nd_export_queue *queue, uint64_t bytes)
{
	while (queue->count &&
	       (queue->bytes + bytes > queue->max_bytes || queue->count >= ND_QUEUE_BATCHES_MAX)) {
		const struct nd_queued *oldest = &queue->entries[0].queued;

		queue->dropped_items[oldest->signal] += oldest->items;
		remove_at(queue, 0);
	}
}

static int compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return x->queued.id < y->queued.id ? -1 : x->queued.id > y->queued.id;
}

/* What an earlier process left. */
static int read_folder(struct nd_export_queue *queue)
{
	struct entry entry = {0};
	const struct dirent *file;
	struct stat st;
	DIR *folder;
	int fd, ret = 0;

	unlinkat(queue->folder, TEMPORARY, 0);
	fd = openat(queue->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	folder = fd < 0 ? NULL : fdopendir(fd);
	if (!folder) {
		ret = -errno;
		if (fd >= 0)
			close(fd);
		return ret;
	}
	while (!ret && (file = readdir(folder))) {
		if (!read_name(file->d_name, &entry.queued) ||
		    fstatat(queue->folder, file->d_name, &st, AT_SYMLINK_NOFOLLOW) ||
		    !S_ISREG(st.st_mode))
			continue;
		entry.queued.bytes = (size_t)st.st_size;
		if (entry.queued.id >= queue->next_id)
			queue->next_id = entry.queued.id + 1;
		ret = append(queue, &entry);
	}
	closedir(folder);
	if (queue->count)
		qsort(queue->entries, queue->count, sizeof(*queue->entries), compare);
	make_room(queue, 0);
	return ret;
}

static int open_folder(struct nd_export_queue *queue, const char *folder, struct nd_err *err)
{
	if (mkdir(folder, 0700) && errno != EEXIST)
		return nd_err_set_errno(err, -errno, "cannot make the queue '%s'", folder);
	queue->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (queue->folder < 0)
		return nd_err_set_errno(err, -errno, "cannot open the queue '%s'", folder);
	queue->lock = openat(queue->folder, LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (queue->lock < 0)
		return nd_err_set_errno(err, -errno, "cannot write to the queue '%s'", folder);
	if (flock(queue->lock, LOCK_EX | LOCK_NB)) {
		nd_err_set(err, -EBUSY, "another process uses the queue '%s'", folder);
		return nd_err_hint(err, "give each process a folder of its own");
	}
	return 0;
}

int nd_export_queue_open(const char *folder, uint64_t max_bytes, struct nd_export_queue **ret_queue,
			 struct nd_err *err)
{
	struct nd_export_queue *queue = calloc(1, sizeof(*queue));
	int ret = 0;

	if (!queue)
		return nd_err_set(err, -ENOMEM, "out of memory");
	queue->folder = queue->lock = -1;
	queue->max_bytes = max_bytes;
	if (folder)
		ret = open_folder(queue, folder, err);
	if (!ret && folder) {
		ret = read_folder(queue);
		if (ret)
			nd_err_set_errno(err, ret, "cannot read the queue '%s'", folder);
	}
	if (ret)
		nd_export_queue_close(queue);
	else
		*ret_queue = queue;
	return ret;
}

void nd_export_queue_close(struct nd_export_queue *queue)
{
	size_t i;

	if (!queue)
		return;
	for (i = 0; i < queue->count; i++)
		free(queue->entries[i].data);
	free(queue->entries);
	if (queue->lock >= 0)
		close(queue->lock);
	if (queue->folder >= 0)
		close(queue->folder);
	free(queue);
}

static int write_all(int fd, const char *data, size_t len)
{
	ssize_t n;

	for (; len; data += n, len -= (size_t)n) {
		n = write(fd, data, len);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n < 0)
			return -errno;
	}
	return 0;
}

/* A kill leaves either nothing of it or all; only the power may take the end of a file. */
static int write_file(struct nd_export_queue *queue, const struct nd_queued *queued,
		      const struct nd_buf *packed)
{
	char name[NAME_SIZE];
	int fd, ret;

	make_name(queued, name);
	fd = openat(queue->folder, TEMPORARY, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
		    0600);
	if (fd < 0)
		return -errno;
	ret = write_all(fd, packed->data, packed->len);
	if (close(fd) && !ret)
		ret = -errno;
	if (!ret && renameat(queue->folder, TEMPORARY, queue->folder, name))
		ret = -errno;
	if (ret)
		unlinkat(queue->folder, TEMPORARY, 0);
	return ret;
}

static int keep(struct nd_export_queue *queue, struct entry *entry, const struct nd_buf *packed)
{
	int ret;

	if (queue->folder < 0) {
		entry->data = malloc(packed->len);
		if (!entry->data)
			return -ENOMEM;
		memcpy(entry->data, packed->data, packed->len);
	} else {
		ret = write_file(queue, &entry->queued, packed);
		if (ret)
			return ret;
	}
	ret = append(queue, entry);
	if (ret)
		free(entry->data);
	return ret;
}

int nd_export_queue_add(struct nd_export_queue *queue, const struct nd_queued *what,
			const struct nd_buf *request, struct nd_err *err)
{
	struct entry entry = {.queued = *what};
	struct nd_buf packed;
	int ret;

	nd_buf_init(&packed, ND_OTLP_REQUEST_MAX);
	ret = nd_pack(what->packing, request->data, request->len, &packed);
	if (!ret && packed.len > queue->max_bytes)
		ret = -EFBIG;
	if (!ret) {
		make_room(queue, packed.len);
		entry.queued.id = queue->next_id++;
		entry.queued.bytes = packed.len;
		ret = keep(queue, &entry, &packed);
	}
	nd_buf_fini(&packed);
	return ret ? nd_err_set_errno(err, ret, "cannot write to the queue") : 0;
}

const struct nd_queued *nd_export_queue_first(const struct nd_export_queue *queue,
					      enum nd_otlp_signal signal)
{
	size_t i;

	for (i = 0; i < queue->count; i++)
		if (queue->entries[i].queued.signal == signal)
			return &queue->entries[i].queued;
	return NULL;
}

static struct entry *find(struct nd_export_queue *queue, uint64_t id)
{
	size_t i;

	for (i = 0; i < queue->count; i++)
		if (queue->entries[i].queued.id == id)
			return &queue->entries[i];
	return NULL;
}

static int read_file(struct nd_export_queue *queue, const struct nd_queued *queued,
		     struct nd_buf *packed)
{
	char name[NAME_SIZE], *at;
	ssize_t n = 1;
	int fd;

	make_name(queued, name);
	fd = openat(queue->folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	at = nd_buf_reserve(packed, queued->bytes);
	while (at && n > 0 && packed->len < queued->bytes) {
		n = read(fd, packed->data + packed->len, queued->bytes - packed->len);
		if (n > 0)
			packed->len += (size_t)n;
	}
	close(fd);
	return nd_buf_error(packed);
}

static int read_entry(struct nd_export_queue *queue, const struct entry *entry,
		      struct nd_buf *plain, struct nd_buf *packed)
{
	int ret;

	if (queue->folder < 0)
		ret = nd_buf_add(packed, entry->data, entry->queued.bytes);
	else
		ret = read_file(queue, &entry->queued, packed);
	return ret ? ret : nd_unpack(entry->queued.packing, packed->data, packed->len, plain);
}

int nd_export_queue_read(struct nd_export_queue *queue, uint64_t id, struct nd_buf *plain,
			 struct nd_buf *packed)
{
	struct entry *entry = find(queue, id);
	struct nd_buf own;
	int ret;

	if (!entry)
		return -EBADMSG;
	nd_buf_init(&own, ND_OTLP_REQUEST_MAX);
	ret = read_entry(queue, entry, plain, packed ? packed : &own);
	nd_buf_fini(&own);
	if (ret != -EBADMSG && ret != -EFBIG && ret != -ENOENT)
		return ret;
	queue->damaged++;
	remove_at(queue, (size_t)(entry - queue->entries));
	return -EBADMSG;
}

bool nd_export_queue_remove(struct nd_export_queue *queue, uint64_t id)
{
	struct entry *entry = find(queue, id);

	if (entry)
		remove_at(queue, (size_t)(entry - queue->entries));
	return entry != NULL;
}

uint64_t nd_export_queue_dropped_items(const struct nd_export_queue *queue,
				       enum nd_otlp_signal signal)
{
	return queue->dropped_items[signal];
}

uint64_t nd_export_queue_damaged(const struct nd_export_queue *queue)
{
	return queue->damaged;
}

uint64_t nd_export_queue_waiting_items(const struct nd_export_queue *queue,
				       enum nd_otlp_signal signal)
{
	uint64_t items = 0;
	size_t i;

	for (i = 0; i < queue->count; i++)
		if (queue->entries[i].queued.signal == signal)
			items += queue->entries[i].queued.items;
	return items;
}
