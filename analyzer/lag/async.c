/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/lag/async.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/list.h"
#include "common/set.h"
#include "proto/limits.h"

/* A type in one thread. Keys have no padding, as common/set.h wants it. */
struct type_key {
	uint32_t tid;
	char name[ND_ASYNC_TYPE_NAME];
};

struct site_key {
	uint32_t tid;
	char type[ND_ASYNC_TYPE_NAME];
	char function[ND_ASYNC_FUNCTION];
	char file[ND_ASYNC_FILE];
	uint32_t line;
	uint32_t column;
};

/* Events by their keys: the sums as they were told last. */
struct table {
	struct nd_set keys;
	struct nd_list sums; /* beside the keys */
	uint32_t max;
};

struct nd_async {
	struct table types; /* struct type_key, struct nd_event_async_type */
	struct table sites; /* struct site_key, struct nd_event_async_site */
	struct nd_async_thread *threads;
	struct nd_event_async *states; /* of each of these */
	size_t threads_count;
	uint64_t left_out;
	/* What nd_async_types() hands out. */
	struct nd_async_type *type_list;
	struct nd_async_site *site_list;
};

struct nd_async *nd_async_new(void)
{
	struct nd_async *async = calloc(1, sizeof(*async));

	if (!async)
		return NULL;
	async->types = (struct table){
		.keys.size = sizeof(struct type_key),
		.sums.size = sizeof(struct nd_event_async_type),
		.max = ND_ASYNC_TYPES_MAX,
	};
	async->sites = (struct table){
		.keys.size = sizeof(struct site_key),
		.sums.size = sizeof(struct nd_event_async_site),
		.max = ND_ASYNC_SITES_MAX,
	};
	return async;
}

static void fini_table(struct table *table)
{
	nd_set_fini(&table->keys);
	free(table->sums.items);
}

void nd_async_free(struct nd_async *async)
{
	if (!async)
		return;
	fini_table(&async->types);
	fini_table(&async->sites);
	free(async->threads);
	free(async->states);
	free(async->type_list);
	free(async->site_list);
	free(async);
}

/* What the process wrote may have no end; a key has zeros behind it. */
static void copy_text(char *to, const char *from, size_t size)
{
	memcpy(to, from, strnlen(from, size - 1));
}

static int add_thread(struct nd_async *async, const struct nd_event_async *event)
{
	struct nd_async_thread *threads;
	struct nd_event_async *states;
	size_t i, count = async->threads_count;

	for (i = 0; i < count && async->threads[i].tid != event->event.tid;)
		i++;
	if (i == ND_LAG_THREADS_MAX) {
		async->left_out++;
		return 0;
	}
	if (i == count) {
		threads = reallocarray(async->threads, count + 1, sizeof(*threads));
		async->threads = threads ? threads : async->threads;
		states = reallocarray(async->states, count + 1, sizeof(*states));
		async->states = states ? states : async->states;
		if (!threads || !states)
			return -ENOMEM;
		async->threads_count++;
	}
	async->threads[i] = (struct nd_async_thread){event->event.tid, event->reason};
	async->states[i] = *event;
	return 0;
}

/* The sums of a key, in the place of those that were told before. */
static int put(struct nd_async *async, struct table *table, const void *key, const void *sums)
{
	uint32_t id;
	int ret = nd_set_add(&table->keys, key, table->max, &id);

	if (ret == -E2BIG) {
		async->left_out++;
		return 0;
	}
	if (ret)
		return ret;
	if (id == table->sums.count)
		return nd_list_add(&table->sums, sums);
	memcpy((char *)table->sums.items + id * table->sums.size, sums, table->sums.size);
	return 0;
}

static int add_type(struct nd_async *async, const struct nd_event_async_type *event)
{
	struct type_key key = {.tid = event->event.tid};

	copy_text(key.name, event->name, sizeof(key.name));
	return put(async, &async->types, &key, event);
}

static int add_site(struct nd_async *async, const struct nd_event_async_site *event)
{
	struct site_key key = {
		.tid = event->event.tid, .line = event->line, .column = event->column};

	copy_text(key.type, event->type, sizeof(key.type));
	copy_text(key.function, event->function, sizeof(key.function));
	copy_text(key.file, event->file, sizeof(key.file));
	return put(async, &async->sites, &key, event);
}

int nd_async_add_event(struct nd_async *async, const struct nd_event *event, size_t size)
{
	if (event->kind == ND_EVENT_ASYNC && size >= sizeof(struct nd_event_async))
		return add_thread(async, (const void *)event);
	if (event->kind == ND_EVENT_ASYNC_TYPE && size >= sizeof(struct nd_event_async_type))
		return add_type(async, (const void *)event);
	if (event->kind == ND_EVENT_ASYNC_SITE && size >= sizeof(struct nd_event_async_site))
		return add_site(async, (const void *)event);
	return 0;
}

void nd_async_end_thread(struct nd_async *async, uint32_t tid)
{
	struct nd_event_async_type *types = async->types.sums.items;
	struct nd_event_async_site *sites = async->sites.sums.items;
	size_t i;

	/* Nothing can be begun in a thread that is about to end, which is no failure of Node's. */
	for (i = 0; i < async->threads_count; i++)
		if (async->threads[i].tid == tid && async->threads[i].reason == ND_ASYNC_FAILED)
			async->threads[i].reason = ND_ASYNC_OK;
	for (i = 0; i < async->types.sums.count; i++)
		if (types[i].event.tid == tid)
			types[i].alive = 0;
	for (i = 0; i < async->sites.sums.count; i++)
		if (sites[i].event.tid == tid)
			sites[i].alive = 0;
}

const struct nd_async_thread *nd_async_threads(const struct nd_async *async, size_t *ret_count)
{
	*ret_count = async->threads_count;
	return async->threads;
}

/* By name, and then the rest of the place: sums of several threads come together. */
static int compare_places(const void *a, const void *b)
{
	const struct nd_async_site *x = a, *y = b;
	int order = strcmp(x->type, y->type);

	if (!order)
		order = strcmp(x->file, y->file);
	if (!order)
		order = x->line < y->line ? -1 : x->line > y->line;
	if (!order)
		order = x->column < y->column ? -1 : x->column > y->column;
	return order ? order : strcmp(x->function, y->function);
}

static int compare_amounts(uint64_t alive_a, uint64_t alive_b, uint64_t created_a,
			   uint64_t created_b)
{
	if (alive_a != alive_b)
		return alive_a < alive_b ? 1 : -1;
	return created_a < created_b ? 1 : created_a > created_b ? -1 : 0;
}

static int compare_sites(const void *a, const void *b)
{
	const struct nd_async_site *x = a, *y = b;
	int order = strcmp(x->type, y->type);

	if (!order)
		order = compare_amounts(x->alive, y->alive, x->created, y->created);
	return order ? order : compare_places(a, b);
}

static int compare_types(const void *a, const void *b)
{
	const struct nd_async_type *x = a, *y = b;
	int order = compare_amounts(x->alive, y->alive, x->created, y->created);

	return order ? order : strcmp(x->name, y->name);
}

static void add_up_site(struct nd_async_site *to, const struct nd_async_site *from)
{
	to->created += from->created;
	to->alive += from->alive;
	to->ended += from->ended;
	to->total_us += from->total_us;
	if (from->max_us > to->max_us)
		to->max_us = from->max_us;
}

/* All places, those of a type together and in the order of the answer. */
static struct nd_async_site *list_sites(const struct nd_async *async, size_t *ret_count)
{
	const struct site_key *keys = (const void *)async->sites.keys.records;
	const struct nd_event_async_site *sums = async->sites.sums.items;
	size_t count = async->sites.sums.count, i, kept = 0;
	struct nd_async_site *sites = calloc(count ? count : 1, sizeof(*sites));

	if (!sites)
		return NULL;
	for (i = 0; i < count; i++)
		sites[i] = (struct nd_async_site){
			.type = keys[i].type,
			.function = keys[i].function,
			.file = keys[i].file,
			.line = keys[i].line,
			.column = keys[i].column,
			.created = sums[i].created,
			.alive = sums[i].alive,
			.ended = sums[i].ended,
			.total_us = sums[i].total_us,
			.max_us = sums[i].max_us,
		};
	qsort(sites, count, sizeof(*sites), compare_places);
	for (i = 0; i < count; i++)
		if (kept && !compare_places(&sites[kept - 1], &sites[i]))
			add_up_site(&sites[kept - 1], &sites[i]);
		else
			sites[kept++] = sites[i];
	qsort(sites, kept, sizeof(*sites), compare_sites);
	*ret_count = kept;
	return sites;
}

static void add_up_type(struct nd_async_type *to, const struct nd_event_async_type *from)
{
	int i;

	to->created += from->created;
	to->alive += from->alive;
	to->ended += from->ended;
	to->total_us += from->total_us;
	to->is_estimated |= from->looks < from->created;
	if (from->max_us > to->max_us)
		to->max_us = from->max_us;
	for (i = 0; i < ND_LIFETIME_BUCKETS; i++)
		to->lifetime[i] += from->lifetime[i];
}

static struct nd_async_type *list_types(const struct nd_async *async, size_t *ret_count)
{
	const struct type_key *keys = (const void *)async->types.keys.records;
	const struct nd_event_async_type *sums = async->types.sums.items;
	size_t count = async->types.sums.count, i, at, used = 0;
	struct nd_async_type *types = calloc(count ? count : 1, sizeof(*types));

	if (!types)
		return NULL;
	for (i = 0; i < count; i++) {
		for (at = 0; at < used && strcmp(types[at].name, keys[i].name) != 0;)
			at++;
		if (at == used)
			types[used++].name = keys[i].name;
		add_up_type(&types[at], &sums[i]);
	}
	qsort(types, used, sizeof(*types), compare_types);
	*ret_count = used;
	return types;
}

/* The part of the places that are of this type. */
static void give_sites(struct nd_async_type *type, const struct nd_async_site *sites, size_t count)
{
	size_t first = 0, end;

	while (first < count && strcmp(sites[first].type, type->name) != 0)
		first++;
	for (end = first; end < count && !strcmp(sites[end].type, type->name);)
		end++;
	type->sites = sites + first;
	type->sites_count = end - first;
}

const struct nd_async_type *nd_async_types(struct nd_async *async, size_t *ret_count)
{
	size_t sites_count = 0, count = 0, i;
	struct nd_async_type *types = list_types(async, &count);
	struct nd_async_site *sites = list_sites(async, &sites_count);

	*ret_count = 0;
	if (!types || !sites) {
		free(types);
		free(sites);
		return NULL;
	}
	for (i = 0; i < count; i++)
		give_sites(&types[i], sites, sites_count);
	free(async->type_list);
	free(async->site_list);
	async->type_list = types;
	async->site_list = sites;
	*ret_count = count;
	return types;
}

void nd_async_get_losses(const struct nd_async *async, struct nd_async_losses *ret_losses)
{
	size_t i;

	*ret_losses = (struct nd_async_losses){.left_out = async->left_out};
	for (i = 0; i < async->threads_count; i++) {
		ret_losses->resources += async->states[i].resources_lost;
		ret_losses->sites += async->states[i].sites_lost;
		ret_losses->types += async->states[i].types_lost;
	}
}

uint64_t nd_async_bucket_start(int bucket)
{
	if (bucket < 2)
		return (uint64_t)bucket;
	return (UINT64_C(2) + (uint64_t)(bucket & 1)) << (bucket / 2 - 1);
}

uint64_t nd_async_percentile(const struct nd_async_type *type, double share)
{
	uint64_t total = 0, sum = 0, wanted, middle;
	int i;

	for (i = 0; i < ND_LIFETIME_BUCKETS; i++)
		total += type->lifetime[i];
	if (!total)
		return 0;
	wanted = (uint64_t)(share * (double)total);
	for (i = 0; i < ND_LIFETIME_BUCKETS - 1; i++) {
		sum += type->lifetime[i];
		if (sum > wanted || sum == total)
			break;
	}
	middle = (nd_async_bucket_start(i) + nd_async_bucket_start(i + 1)) / 2;
	return middle < type->max_us ? middle : type->max_us;
}
