/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/symbols/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analyzer/symbols/libuv.h"
#include "analyzer/symbols/memory.h"
#include "analyzer/symbols/module.h"
#include "analyzer/symbols/runtime.h"
#include "analyzer/symbols/unwind.h"
#include "analyzer/symbols/v8/v8.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/procwait.h"
#include "proto/limits.h"
#include "proto/sample.h"

/* Reading the mappings costs up to a millisecond, and a bad pc would ask for it each time. */
#define MAPS_INTERVAL_NS (100 * ND_NSEC_PER_MSEC)

/* kBytecodeSizes: three rows of at most 256 bytes. */
#define BYTECODE_SIZES_MAX (3 * 256)

/* Where the main thread's stack begins, what main() and Node.js's start have called is in so much.
 */
#define MAIN_STACK_BYTES (64u << 10)

bool nd_map_is_jit(const struct nd_map *map)
{
	/* V8 may name its memory with prctl(PR_SET_VMA_ANON_NAME): "[anon:v8]". */
	return !map->inode && (!*map->path || !strncmp(map->path, "[anon:", 6));
}

static int read_maps(struct nd_process *process)
{
	struct nd_maps maps;
	int ret = nd_procfs_read_maps(process->pid, ND_MAPS_MAX, &maps);

	process->maps_read_ns = nd_clock_monotonic_ns();
	if (ret)
		return ret;
	nd_maps_fini(&process->maps);
	process->maps = maps;
	return 0;
}

const struct nd_map *nd_process_find_map(struct nd_process *process, uint64_t address)
{
	const struct nd_map *map = nd_maps_find(&process->maps, address);

	if (map || nd_clock_monotonic_ns() - process->maps_read_ns < MAPS_INTERVAL_NS)
		return map;
	/* A process that ended has none; those read before stay. */
	if (read_maps(process) || !process->maps.count)
		return NULL;
	return nd_maps_find(&process->maps, address);
}

static bool is_jit(void *arg, uint64_t address)
{
	struct nd_process *process = arg;
	const struct nd_map *map = nd_maps_find(&process->maps, address);

	return map && nd_map_is_jit(map);
}

/* Read a file as the process sees it; `path` is absolute. Only regular files, so nothing blocks. */
static int read_file(void *arg, const char *path, struct nd_buf *out)
{
	struct nd_process *process = arg;
	char full[4200];
	struct stat st;
	ssize_t n = 1;
	char *at;
	int fd;

	snprintf(full, sizeof(full), "/proc/%d/root%s", process->pid, path);
	fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return -EINVAL;
	}
	while (n > 0 && (at = nd_buf_reserve(out, 1 << 16))) {
		n = read(fd, at, 1 << 16);
		if (n > 0)
			out->len += (size_t)n;
	}
	close(fd);
	return n < 0 ? -EIO : nd_buf_error(out);
}

/* Files that node may be linked into: the executable, or Debian's libnode. */
static bool may_hold_v8(const struct nd_process *process, const struct nd_map *map)
{
	char exe[4096];
	const char *base = strrchr(map->path, '/');

	if (!map->inode || !base)
		return false;
	if (!strncmp(base, "/libnode", 8) || !strncmp(base, "/libv8", 6))
		return true;
	return !nd_procfs_read_exe(process->pid, exe, sizeof(exe)) && !strcmp(exe, map->path);
}

/* Find the module that V8 is in. -ENOENT when there is none, -ENOTSUP when it cannot be read. */
static int find_v8(struct nd_process *process, struct nd_modules *modules, struct nd_err *err)
{
	struct nd_module *module;
	struct nd_err why = {0};
	size_t i;

	for (i = 0; i < process->maps.count; i++) {
		if (!may_hold_v8(process, &process->maps.map[i]))
			continue;
		module = nd_modules_get(modules, process->pid, &process->maps.map[i]);
		if (!module)
			return nd_err_set(err, -ENOMEM, "out of memory");
		if (nd_module_get_v8(module, &why)) {
			process->v8_module = module;
			return 0;
		}
		if (why.code != -ENOENT)
			return nd_err_set(err, -ENOTSUP, "%s", why.what);
	}
	return nd_err_set(err, -ENOENT, "it has no V8 metadata (v8dbg_ symbols)");
}

static int open_v8(struct nd_process *process, struct nd_profile *profile, bool source_maps,
		   struct nd_err *err)
{
	const struct nd_v8_layout *layout = nd_module_get_v8(process->v8_module, err);
	uint8_t sizes[BYTECODE_SIZES_MAX];
	struct nd_v8_options options = {
		.layout = layout,
		.memory = process->memory,
		.profile = profile,
		.files = source_maps ? &process->files : NULL,
		.is_jit = is_jit,
		.arg = process,
	};

	if (layout->bytecode_count &&
	    nd_module_read(process->v8_module, layout->bytecode_sizes_vaddr, sizes,
			   (size_t)3 * layout->bytecode_count))
		options.bytecode_sizes = sizes;
	process->v8 = nd_v8_new(&options);
	return process->v8 ? 0 : nd_err_set(err, -ENOMEM, "out of memory");
}

int nd_process_init(struct nd_process *process, pid_t pid, struct nd_modules *modules,
		    struct nd_profile *profile, bool source_maps, struct nd_err *err)
{
	int ret;

	*process = (struct nd_process){.pid = pid, .files = {.read = read_file, .arg = process}};
	ret = read_maps(process);
	if (ret == -ESRCH)
		return nd_err_set(err, ret, "no process %d", pid);
	if (ret)
		return nd_err_set_errno(err, ret, "cannot look into process %d", pid);
	process->memory = nd_memory_new_process(pid);
	process->unwinder = nd_unwinder_new(process, modules);
	if (!process->memory || !process->unwinder) {
		nd_process_fini(process);
		return nd_err_set(err, -ENOMEM, "out of memory");
	}
	ret = find_v8(process, modules, err);
	if (!ret)
		ret = open_v8(process, profile, source_maps, err);
	return ret;
}

void nd_process_fini(struct nd_process *process)
{
	nd_unwinder_free(process->unwinder);
	nd_v8_free(process->v8);
	nd_memory_free(process->memory);
	nd_maps_fini(&process->maps);
	*process = (struct nd_process){0};
}

/* libc, in which threads begin and main() is called. */
static bool is_libc(const struct nd_map *map)
{
	const char *base = map->inode ? strrchr(map->path, '/') : NULL;

	return base && (!strncmp(base, "/libc.", 6) || !strncmp(base, "/libc-", 6) ||
			!strncmp(base, "/ld-musl", 8));
}

/* Before glibc 2.34 some functions were in a library of their own. */
static bool is_libc_or_libdl(const struct nd_map *map)
{
	return is_libc(map) || strstr(map->path, "/libdl.");
}

/* Where it is not part of node. */
static bool is_libuv(const struct nd_map *map)
{
	return strstr(map->path, "/libuv.") != NULL;
}

static uint64_t find_function(struct nd_process *process, struct nd_modules *modules,
			      bool (*is_in)(const struct nd_map *map), const char *name)
{
	struct nd_module *module;
	const struct nd_map *map;
	uint64_t address = 0;
	size_t i;

	for (i = 0; i < process->maps.count && !address; i++) {
		map = &process->maps.map[i];
		if (!is_in(map))
			continue;
		module = nd_modules_get(modules, process->pid, map);
		address = module ? nd_module_find_data(module, map, name) : 0;
	}
	return address;
}

uint64_t nd_process_find_libc_function(struct nd_process *process, struct nd_modules *modules,
				       const char *name)
{
	return find_function(process, modules, is_libc_or_libdl, name);
}

/* libuv counts turns from the version on that has this function to tell of them. */
static bool counts_turns(struct nd_process *process, struct nd_modules *modules)
{
	static const char name[] = "uv_metrics_info";
	uint64_t address = find_function(process, modules, is_libuv, name);
	size_t i;

	for (i = 0; process->v8_module && i < process->maps.count && !address; i++)
		if (process->maps.map[i].inode)
			address = nd_module_find_data(process->v8_module, &process->maps.map[i],
						      name);
	return address != 0;
}

int nd_process_find_loop(struct nd_process *process, struct nd_modules *modules, pid_t tid,
			 struct nd_loop_place *ret_place)
{
	uint64_t start, end;
	struct nd_wait wait;
	int ret;

	if (tid == process->pid) {
		ret = nd_procfs_read_stack_start(process->pid, &end);
		start = ret || end < MAIN_STACK_BYTES ? 0 : end - MAIN_STACK_BYTES;
	} else {
		ret = nd_procfs_read_wait(process->pid, tid, &wait);
		if (!ret && !nd_wait_is_epoll(&wait))
			ret = -EAGAIN;
		start = ret ? 0 : wait.sp;
		end = start + ND_LIBUV_STACK_MAX;
	}
	nd_memory_forget(process->memory);
	if (!ret)
		ret = nd_libuv_find_loop(process->memory, start, end,
					 counts_turns(process, modules), ret_place);
	return ret;
}

void nd_process_get_walk(const struct nd_process *process, struct nd_walk_layout *ret_walk)
{
	size_t i;

	*ret_walk = (struct nd_walk_layout){0};
	if (process->v8)
		nd_v8_layout_get_walk(nd_module_get_v8(process->v8_module, NULL), ret_walk);
	for (i = 0; i < process->maps.count; i++) {
		if (!is_libc(&process->maps.map[i]))
			continue;
		ret_walk->root_start = process->maps.map[i].start;
		ret_walk->root_end = process->maps.map[i].end;
	}
}

void nd_process_find_site(struct nd_process *process, struct nd_modules *modules, uint64_t pc,
			  struct nd_site *ret_site, struct nd_symbol **ret_symbol)
{
	const struct nd_map *map = nd_process_find_map(process, pc);
	struct nd_module *module;
	struct nd_symbol *symbol;

	*ret_site = (struct nd_site){.kind = ND_SITE_UNKNOWN, .pc = pc};
	*ret_symbol = NULL;
	if (!map)
		return;
	if (nd_map_is_jit(map)) {
		ret_site->kind = ND_SITE_JIT;
		return;
	}
	module = nd_modules_get(modules, process->pid, map);
	symbol = module ? nd_modules_find_symbol(modules, module, map, pc) : NULL;
	if (!symbol || nd_modules_get_frame(modules, symbol, ND_WORK_NONE, &ret_site->frame))
		return;
	ret_site->has_frame = true;
	ret_site->kind = ND_SITE_NATIVE;
	if (symbol->is_builtin || nd_module_is_builtin(module, map, pc)) {
		ret_site->kind = ND_SITE_BUILTIN;
		ret_site->name = symbol->is_builtin ? symbol->name : NULL;
	}
	*ret_symbol = symbol;
}

static bool read_node_version(struct nd_process *process, char *buf, size_t size)
{
	const struct nd_map *map;
	uint64_t addr;
	size_t i;

	for (i = 0; i < process->maps.count; i++) {
		map = &process->maps.map[i];
		addr = map->inode && !nd_map_is_jit(map)
			       ? nd_module_find_data(process->v8_module, map, ND_RUNTIME_METADATA)
			       : 0;
		if (addr && nd_runtime_read_version(process->memory, addr, buf, size))
			return true;
	}
	return false;
}

void nd_process_describe(struct nd_process *process, char *buf, size_t size)
{
	const struct nd_v8_layout *layout;
	char node[32];

	buf[0] = '\0';
	if (!process->v8)
		return;
	layout = nd_module_get_v8(process->v8_module, NULL);
	if (read_node_version(process, node, sizeof(node)))
		snprintf(buf, size, "Node.js v%s (V8 %d.%d.%d)", node, layout->version.major,
			 layout->version.minor, layout->version.build);
	else
		snprintf(buf, size, "Node.js with V8 %d.%d.%d", layout->version.major,
			 layout->version.minor, layout->version.build);
}
