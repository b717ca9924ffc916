/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/symbols/unwind.h"

#include <errno.h>
#include <libunwind.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/symbols/memory.h"
#include "analyzer/symbols/module.h"
#include "analyzer/symbols/process.h"

#define ND_WALK_READ(arg, dst, size, addr) nd_memory_read(arg, addr, dst, size)
#include "proto/walk.h"

#if defined(__x86_64__)
#define REG_FP UNW_X86_64_RBP
#elif defined(__aarch64__)
#define REG_FP UNW_AARCH64_X29
#else
#error "which register is the frame pointer here?"
#endif

/*
 * libunwind's binary search in a table of another process; it is exported for this use, but in no
 * header.
 */
#define dwarf_search_unwind_table UNW_OBJ(dwarf_search_unwind_table)
int dwarf_search_unwind_table(unw_addr_space_t as, unw_word_t ip, unw_dyn_info_t *di,
			      unw_proc_info_t *pi, int need_unwind_info, void *arg);

/*
 * The index as linkers write it (LSB, "eh_frame_hdr"): 4-byte pointers relative to itself, a 4-byte
 * count, and a table of pairs of 4 bytes relative to its own start.
 */
struct unwind_index {
	uint8_t version;
	uint8_t frame_encoding;
	uint8_t count_encoding;
	uint8_t table_encoding;
	int32_t frame;
	uint32_t count;
};

#define ENCODING_PCREL_SDATA4	0x1b
#define ENCODING_UDATA4		0x03
#define ENCODING_DATAREL_SDATA4 0x3b

/* Bytes of one pair in the table. */
#define TABLE_ENTRY 8

/* Functions of one file; node has 200,000. */
#define INDEX_COUNT_MAX (16u << 20)

struct nd_unwinder {
	struct nd_process *process;
	struct nd_modules *modules;
	unw_addr_space_t space;
	struct nd_walk walk; /* where it steps from */
	bool found;	     /* there was a table for the pc */
};

static int find_proc_info(unw_addr_space_t space, unw_word_t ip, unw_proc_info_t *info,
			  int need_unwind_info, void *arg)
{
	struct nd_unwinder *unwinder = arg;
	const struct nd_map *map = nd_process_find_map(unwinder->process, ip);
	struct nd_module *module;
	struct unwind_index index;
	unw_dyn_info_t table = {0};
	uint64_t address;
	int ret;

	if (!map || nd_map_is_jit(map))
		return -UNW_ENOINFO;
	module = nd_modules_get(unwinder->modules, unwinder->process->pid, map);
	address = module ? nd_module_find_unwind_index(module, map) : 0;
	if (!address || nd_memory_read(unwinder->process->memory, address, &index, sizeof(index)) ||
	    index.version != 1 || index.frame_encoding != ENCODING_PCREL_SDATA4 ||
	    index.count_encoding != ENCODING_UDATA4 ||
	    index.table_encoding != ENCODING_DATAREL_SDATA4 || index.count > INDEX_COUNT_MAX)
		return -UNW_ENOINFO;
	table.format = UNW_INFO_FORMAT_REMOTE_TABLE;
	table.start_ip = map->start;
	table.end_ip = map->end;
	table.u.rti.segbase = address;
	table.u.rti.table_data = address + sizeof(index);
	table.u.rti.table_len = index.count * TABLE_ENTRY / sizeof(unw_word_t);
	ret = dwarf_search_unwind_table(space, ip, &table, info, need_unwind_info, arg);
	unwinder->found = ret == 0;
	return ret;
}

static void put_unwind_info(unw_addr_space_t space, unw_proc_info_t *info, void *arg)
{
}

static int get_dyn_info_list_addr(unw_addr_space_t space, unw_word_t *list, void *arg)
{
	return -UNW_ENOINFO;
}

static int access_mem(unw_addr_space_t space, unw_word_t addr, unw_word_t *value, int write,
		      void *arg)
{
	struct nd_unwinder *unwinder = arg;

	if (write || nd_memory_read(unwinder->process->memory, addr, value, sizeof(*value)))
		return -UNW_EINVAL;
	return 0;
}

/* Of the registers only three are known: an unwind rule that needs another one fails. */
static int access_reg(unw_addr_space_t space, unw_regnum_t reg, unw_word_t *value, int write,
		      void *arg)
{
	struct nd_unwinder *unwinder = arg;

	if (write)
		return -UNW_EREADONLYREG;
	if (reg == UNW_REG_IP)
		*value = unwinder->walk.pc;
	else if (reg == UNW_REG_SP)
		*value = unwinder->walk.sp;
	else if (reg == REG_FP)
		*value = unwinder->walk.fp;
	else
		return -UNW_EBADREG;
	return 0;
}

static int access_fpreg(unw_addr_space_t space, unw_regnum_t reg, unw_fpreg_t *value, int write,
			void *arg)
{
	return -UNW_EBADREG;
}

static int resume(unw_addr_space_t space, unw_cursor_t *cursor, void *arg)
{
	return -UNW_EINVAL;
}

static int get_proc_name(unw_addr_space_t space, unw_word_t addr, char *buf, size_t size,
			 unw_word_t *offset, void *arg)
{
	return -UNW_ENOINFO;
}

static unw_accessors_t accessors = {
	.find_proc_info = find_proc_info,
	.put_unwind_info = put_unwind_info,
	.get_dyn_info_list_addr = get_dyn_info_list_addr,
	.access_mem = access_mem,
	.access_reg = access_reg,
	.access_fpreg = access_fpreg,
	.resume = resume,
	.get_proc_name = get_proc_name,
};

struct nd_unwinder *nd_unwinder_new(struct nd_process *process, struct nd_modules *modules)
{
	struct nd_unwinder *unwinder = calloc(1, sizeof(*unwinder));

	if (!unwinder)
		return NULL;
	unwinder->process = process;
	unwinder->modules = modules;
	unwinder->space = unw_create_addr_space(&accessors, 0);
	if (!unwinder->space) {
		free(unwinder);
		return NULL;
	}
	/* Its cache would outlive mappings. */
	unw_set_caching_policy(unwinder->space, UNW_CACHE_NONE);
	return unwinder;
}

void nd_unwinder_free(struct nd_unwinder *unwinder)
{
	if (!unwinder)
		return;
	unw_destroy_addr_space(unwinder->space);
	free(unwinder);
}

int nd_unwinder_step(struct nd_unwinder *unwinder, struct nd_walk *walk, bool is_call)
{
	unw_word_t pc, sp, fp;
	unw_cursor_t cursor;
	int ret;

	/* The rules are those of the call, not of what follows it. */
	unwinder->walk = *walk;
	unwinder->walk.pc -= is_call ? 1 : 0;
	unwinder->found = false;
	if (unw_init_remote(&cursor, unwinder->space, unwinder))
		return -ENOENT;
	ret = unw_step(&cursor);
	/* Without a table libunwind guesses; a guess is not taken. */
	if (ret < 0 || !unwinder->found)
		return -ENOENT;
	if (!ret)
		return 0;
	if (unw_get_reg(&cursor, UNW_REG_IP, &pc) || unw_get_reg(&cursor, UNW_REG_SP, &sp) ||
	    sp <= walk->sp || !pc)
		return -ENOENT;
	if (unw_get_reg(&cursor, REG_FP, &fp))
		fp = 0;
	walk->pc = pc;
	walk->sp = sp;
	walk->fp = fp;
	return 1;
}
