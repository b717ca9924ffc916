/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/symbols/runtime.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "analyzer/symbols/elf.h"
#include "analyzer/symbols/memory.h"
#include "analyzer/symbols/v8/layout.h"
#include "common/err.h"
#include "common/procfs.h"
#include "common/procstat.h"
#include "proto/limits.h"

/* The static in napi_get_node_version() (node_api.cc): three 32-bit numbers and a string. */
#define NODE_VERSION "_ZZ21napi_get_node_versionE7version"

/* What Worker::StartThread() (node_worker.cc) gives to uv_thread_create_ex(): a lambda in it. */
#define WORKER_START "_ZZN4node6worker6Worker11StartThread"

/* Mappings of one file that have code of it: its segments, and V8's copy of the builtins. */
#define BIASES_MAX 16

/* Functions whose names begin with WORKER_START; there is one, and some data. */
#define STARTS_MAX 8

/* Bytes at the end of a thread's stack in which glibc keeps its struct pthread. */
#define STACK_TOP 4096

/* Of that struct on x86-64: a pointer to itself at 0 and 16, the thread's id, its size. */
#define PTHREAD_SELF  16
#define PTHREAD_TID   720
#define PTHREAD_BYTES 2304

/* Mappings that may be stacks; each of a thread's has one. */
#define STACKS_MAX (1u << 16)

struct file_key {
	uint64_t dev;
	uint64_t inode;
};

/* A file that some process runs, Node.js or not. */
struct nd_runtime {
	UT_hash_handle hh;
	struct file_key key;
	bool is_node;
	bool wants_libnode;
	struct nd_elf *elf; /* of a Node.js */
	bool is_learnt;	    /* what follows is set */
	struct nd_runtime_info info;
	uint64_t metadata;	     /* virtual address, 0 when unknown */
	uint64_t starts[STARTS_MAX]; /* virtual addresses of what workers begin with */
	size_t starts_count;
};

struct nd_runtimes {
	struct nd_runtime *set;
};

struct nd_runtimes *nd_runtimes_new(void)
{
	return calloc(1, sizeof(struct nd_runtimes));
}

static void free_runtime(struct nd_runtime *runtime)
{
	nd_elf_close(runtime->elf);
	free(runtime);
}

void nd_runtimes_free(struct nd_runtimes *runtimes)
{
	struct nd_runtime *runtime, *next;

	if (!runtimes)
		return;
	runtime = runtimes->set;
	HASH_CLEAR(hh, runtimes->set);
	for (; runtime; runtime = next) {
		next = runtime->hh.next;
		free_runtime(runtime);
	}
	free(runtimes);
}

static int add_start(void *arg, const struct nd_elf_symbol *symbol)
{
	struct nd_runtime *runtime = arg;

	if (runtime->starts_count == STARTS_MAX)
		return 1;
	runtime->starts[runtime->starts_count++] = symbol->vaddr;
	return 0;
}

static void read_versions(struct nd_runtime *runtime)
{
	struct nd_runtime_info *info = &runtime->info;
	struct nd_elf_symbol symbol;
	struct nd_v8_version v8;
	uint32_t node[3];

	if (nd_v8_version_read(runtime->elf, &v8))
		snprintf(info->v8, sizeof(info->v8), "%d.%d.%d.%d", v8.major, v8.minor, v8.build,
			 v8.patch);
	if (nd_elf_find_symbol(runtime->elf, NODE_VERSION, &symbol) &&
	    nd_elf_read(runtime->elf, symbol.vaddr, node, sizeof(node)) && node[0] < 1000 &&
	    node[1] < 1000 && node[2] < 1000)
		snprintf(info->node, sizeof(info->node), "%u.%u.%u", node[0], node[1], node[2]);
	if (nd_elf_find_symbol(runtime->elf, ND_RUNTIME_METADATA, &symbol))
		runtime->metadata = symbol.vaddr;
}

/* See what the file is. One that is no ELF file, or cannot be read, is none that is looked for. */
static void classify(struct nd_runtime *runtime, int fd)
{
	if (nd_elf_open(fd, &runtime->elf, NULL))
		return;
	runtime->is_node = nd_v8_is_node(runtime->elf);
	if (runtime->is_node)
		return;
	runtime->wants_libnode = nd_elf_links(runtime->elf, "libnode.so");
	nd_elf_close(runtime->elf);
	runtime->elf = NULL;
}

/* What takes tens of milliseconds, and is not needed to find it. */
static void learn(struct nd_runtime *runtime)
{
	struct nd_v8_layout layout;
	struct nd_err why = {0};

	if (runtime->is_learnt)
		return;
	runtime->is_learnt = true;
	runtime->info.has_layout = !nd_v8_layout_read(runtime->elf, &layout, &why);
	runtime->info.is_stripped = !nd_elf_has_symtab(runtime->elf);
	snprintf(runtime->info.limits, sizeof(runtime->info.limits), "%.127s", why.what);
	read_versions(runtime);
	nd_elf_visit_symtab(runtime->elf, WORKER_START, add_start, runtime);
}

static struct nd_runtime *find_file(const struct nd_runtimes *runtimes, const struct stat *st)
{
	struct file_key key = {.dev = st->st_dev, .inode = st->st_ino};
	struct nd_runtime *runtime;

	HASH_FIND(hh, runtimes->set, &key, sizeof(key), runtime);
	return runtime;
}

/* Takes `fd`. NULL when out of memory. */
static struct nd_runtime *add_file(struct nd_runtimes *runtimes, const struct stat *st, int fd)
{
	struct nd_runtime *runtime = calloc(1, sizeof(*runtime));

	if (!runtime) {
		close(fd);
		return NULL;
	}
	runtime->key = (struct file_key){.dev = st->st_dev, .inode = st->st_ino};
	classify(runtime, fd);
	HASH_ADD(hh, runtimes->set, key, sizeof(runtime->key), runtime);
	if (runtime->hh.tbl)
		return runtime;
	free_runtime(runtime);
	return NULL;
}

/* Of a process that is gone, or of the kernel, which has no executable. */
static int fail(int error)
{
	return error == ENOENT ? -ESRCH : -error;
}

/* NULL with `*ret_error` set. */
static struct nd_runtime *find_executable(struct nd_runtimes *runtimes, pid_t pid, int *ret_error)
{
	struct nd_runtime *runtime;
	char path[64];
	struct stat st;
	int fd;

	/* Right even when the file was replaced, and in whatever mount namespace it is. */
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	if (stat(path, &st)) {
		*ret_error = fail(errno);
		return NULL;
	}
	runtime = find_file(runtimes, &st);
	if (runtime)
		return runtime;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		*ret_error = fail(errno);
		return NULL;
	}
	*ret_error = -ENOMEM;
	return add_file(runtimes, &st, fd);
}

static bool is_libnode(const struct nd_map *map)
{
	const char *base = map->inode ? strrchr(map->path, '/') : NULL;

	return base && !strncmp(base, "/libnode.so", strlen("/libnode.so"));
}

/* The libnode that a process has mapped. A descriptor, or a negative errno. */
static int open_library(pid_t pid)
{
	struct nd_maps maps;
	size_t i;
	int fd, ret = nd_procfs_read_maps(pid, ND_MAPS_MAX, &maps);

	if (ret)
		return ret;
	for (i = 0; i < maps.count && !is_libnode(&maps.map[i]); i++)
		;
	fd = i < maps.count ? nd_procfs_open_map(pid, &maps.map[i]) : -ENOENT;
	nd_maps_fini(&maps);
	return fd;
}

/* NULL with `*ret_error` set. */
static struct nd_runtime *find_library(struct nd_runtimes *runtimes, pid_t pid, int *ret_error)
{
	struct nd_runtime *runtime;
	struct stat st;
	int fd = open_library(pid);

	*ret_error = fd < 0 ? fd : -ENOMEM;
	if (fd < 0)
		return NULL;
	if (fstat(fd, &st)) {
		*ret_error = -errno;
		close(fd);
		return NULL;
	}
	runtime = find_file(runtimes, &st);
	if (!runtime)
		return add_file(runtimes, &st, fd);
	close(fd);
	return runtime;
}

int nd_runtimes_find(struct nd_runtimes *runtimes, pid_t pid, struct nd_runtime **ret_runtime)
{
	int error = 0;
	struct nd_runtime *runtime = find_executable(runtimes, pid, &error);

	if (runtime && runtime->wants_libnode)
		runtime = find_library(runtimes, pid, &error);
	if (!runtime)
		return error;
	if (!runtime->is_node)
		return -ENOENT;
	*ret_runtime = runtime;
	return 0;
}

/*
 * node::per_process::metadata begins with the version as a std::string: a pointer and a length (of
 * libstdc++ and libc++ alike, as long as the text does not fit inside, which libstdc++ points to).
 */
bool nd_runtime_read_version(struct nd_memory *memory, uint64_t addr, char *buf, size_t size)
{
	uint64_t string[2];

	if (nd_memory_read(memory, addr, string, sizeof(string)) || string[1] < 5 ||
	    string[1] >= size || nd_memory_read(memory, string[0], buf, string[1]))
		return false;
	buf[string[1]] = '\0';
	return isdigit((unsigned char)buf[0]) && strspn(buf, "0123456789.") >= 5;
}

/* Where in a process the runtime's file lies. */
struct biases {
	uint64_t bias[BIASES_MAX];
	size_t count;
};

static int find_biases(const struct nd_runtime *runtime, pid_t pid, struct biases *ret_biases)
{
	char exe[4096] = "";
	const struct nd_map *map;
	struct nd_maps maps;
	size_t i;
	int ret = nd_procfs_read_maps(pid, ND_MAPS_MAX, &maps);

	if (ret)
		return ret;
	*ret_biases = (struct biases){0};
	nd_procfs_read_exe(pid, exe, sizeof(exe));
	for (i = 0; i < maps.count && ret_biases->count < BIASES_MAX; i++) {
		map = &maps.map[i];
		if ((is_libnode(map) || !strcmp(map->path, exe)) &&
		    nd_elf_find_bias(runtime->elf, map->start, map->offset,
				     &ret_biases->bias[ret_biases->count]))
			ret_biases->count++;
	}
	nd_maps_fini(&maps);
	return 0;
}

static void learn_version(struct nd_runtime *runtime, const struct biases *biases,
			  struct nd_memory *memory)
{
	char *node = runtime->info.node;
	size_t i;

	for (i = 0; !*node && runtime->metadata && i < biases->count; i++)
		if (!nd_runtime_read_version(memory, biases->bias[i] + runtime->metadata, node,
					     sizeof(runtime->info.node)))
			*node = '\0';
}

static bool is_worker_start(const struct nd_runtime *runtime, const struct biases *biases,
			    uint64_t word)
{
	size_t i, j;

	for (i = 0; i < biases->count; i++)
		for (j = 0; j < runtime->starts_count; j++)
			if (word == biases->bias[i] + runtime->starts[j])
				return true;
	return false;
}

struct census {
	int threads;
	int workers;
};

/*
 * Find the struct pthread at the end of a stack, by its pointers to itself, and in it what the
 * thread began with. The kernel clears the id of a thread that ended; its stack is kept for the
 * next one.
 */
static void count_thread(const struct nd_runtime *runtime, const struct biases *biases,
			 const uint64_t top[STACK_TOP / 8], uint64_t addr, struct census *census)
{
	const uint64_t *end = top + STACK_TOP / 8, *at, *word;
	int32_t tid;

	for (at = top; end - at >= PTHREAD_BYTES / 8; at++) {
		if (*at != addr + (uint64_t)(at - top) * 8 || at[PTHREAD_SELF / 8] != *at)
			continue;
		memcpy(&tid, &at[PTHREAD_TID / 8], sizeof(tid));
		if (tid <= 0)
			return;
		census->threads++;
		for (word = at; word < at + PTHREAD_BYTES / 8; word++)
			if (is_worker_start(runtime, biases, *word)) {
				census->workers++;
				return;
			}
		return;
	}
}

/* -1 unless each thread but the main one was found: then it cannot be known. */
static int count_workers(const struct nd_runtime *runtime, pid_t pid, const struct biases *biases,
			 struct nd_memory *memory)
{
	uint64_t top[STACK_TOP / 8], addr;
	struct census census = {0};
	struct nd_proc_status status;
	struct nd_maps stacks;
	size_t i;

	if (!runtime->starts_count || nd_procfs_read_stacks(pid, STACKS_MAX, &stacks))
		return -1;
	for (i = 0; i < stacks.count; i++) {
		addr = stacks.map[i].end - STACK_TOP;
		if (!nd_memory_read(memory, addr, top, sizeof(top)))
			count_thread(runtime, biases, top, addr, &census);
	}
	nd_maps_fini(&stacks);
	if (nd_procfs_read_status(pid, &status) || (uint32_t)census.threads + 1 != status.threads)
		return -1;
	return census.workers;
}

int nd_runtime_look(struct nd_runtime *runtime, pid_t pid, int *ret_workers)
{
	struct nd_memory *memory;
	struct biases biases;
	int ret = nd_memory_check(pid);

	learn(runtime);
	if (!ret)
		ret = find_biases(runtime, pid, &biases);
	if (ret)
		return ret;
	memory = nd_memory_new_process(pid);
	if (!memory)
		return -ENOMEM;
	learn_version(runtime, &biases, memory);
	*ret_workers = count_workers(runtime, pid, &biases, memory);
	nd_memory_free(memory);
	return 0;
}

void nd_runtime_get_info(struct nd_runtime *runtime, struct nd_runtime_info *ret_info)
{
	learn(runtime);
	*ret_info = runtime->info;
}
