/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/async.h"

#include <string.h>
#include <sys/mman.h>

#include "agent/channel.h"
#include "agent/core.h"
#include "agent/log.h"
#include "agent/node_abi.h"
#include "agent/script.h"
#include "agent/site.h"
#include "agent/thread.h"
#include "common/clock.h"

/* Embedded. */
extern const unsigned char nd_async_js[] __attribute__((visibility("hidden")));
extern const unsigned int nd_async_js_len __attribute__((visibility("hidden")));

/* Types that are told apart: Node.js 26 has 50, and modules may add theirs. */
#define TYPES 128

/* Resources that are alive and followed: one for each, and of those that collide 70 %. */
#define SLOTS (1u << 16)

/* The script looks for so many call sites of a type in such a time. */
#define WINDOW_NS (100 * ND_NSEC_PER_MSEC)

/* What the script shares with us. Numbers of JavaScript are doubles. */
enum state { NOW_US, WINDOW, CROWDED, LOST, TYPES_LOST, STATES };
enum sum { CREATED, ALIVE, ENDED, TOTAL_US, MAX_US, SITE_SUMS, LOOKS = SITE_SUMS, TYPE_SUMS };

struct shared {
	/* Four sizes, then where in this struct are the five arrays that follow. */
	uint32_t layout[16];
	double state[STATES + 1];
	double type[TYPES][TYPE_SUMS];
	uint32_t lifetime[TYPES][ND_LIFETIME_BUCKETS];
	double site[ND_SITES][SITE_SUMS];
	double slot[2 * SLOTS][4];
};

struct nd_async_table {
	struct shared shared;
	char type_name[TYPES][ND_ASYNC_TYPE_NAME]; /* the first is none */
	uint32_t type_count;			   /* those before are complete */
	struct nd_sites sites;
	/* What the reader was told. */
	double type_told[TYPES][2];
	double site_told[ND_SITES][2];
};

bool nd_async_is_known(void)
{
	return nd_script_is_known() && nd_site_is_known() && napi_create_double &&
	       napi_create_external_arraybuffer;
}

static struct napi_value__ *return_number(struct napi_env__ *env, uint32_t number)
{
	struct napi_value__ *value = NULL;

	napi_create_double(env, number, &value);
	return value;
}

/* For the script: the number of a type's name, 0 where there is no room. */
static struct napi_value__ *find_type(struct napi_env__ *env, struct napi_callback_info__ *info)
{
	struct nd_thread *thread = nd_thread_self();
	struct nd_async_table *table = thread ? thread->async.table : NULL;
	struct napi_value__ *name = NULL;
	size_t argc = 1, len;

	if (!table || napi_get_cb_info(env, info, &argc, &name, NULL, NULL))
		return NULL;
	if (!table->type_count)
		table->type_count = 1;
	if (table->type_count == TYPES ||
	    napi_get_value_string_utf8(env, name, table->type_name[table->type_count],
				       ND_ASYNC_TYPE_NAME, &len))
		return return_number(env, 0);
	__atomic_store_n(&table->type_count, table->type_count + 1, __ATOMIC_RELEASE);
	return return_number(env, table->type_count - 1);
}

/* For the script: the number of the call site that creates a resource of a type. */
static struct napi_value__ *find_site(struct napi_env__ *env, struct napi_callback_info__ *info)
{
	struct nd_thread *thread = nd_thread_self();
	struct nd_async_table *table = thread ? thread->async.table : NULL;
	struct napi_value__ *number = NULL;
	uint32_t type = 0;
	size_t argc = 1;

	if (!table || napi_get_cb_info(env, info, &argc, &number, NULL, NULL) ||
	    napi_get_value_uint32(env, number, &type) || type >= TYPES)
		return NULL;
	return return_number(env, nd_sites_find(&table->sites, thread->isolate, env, type));
}

static bool make_table(struct nd_thread *thread)
{
	struct nd_async_table *table = mmap(NULL, sizeof(*table), PROT_READ | PROT_WRITE,
					    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (table == MAP_FAILED)
		return false;
	thread->async.table = table;
	return true;
}

static void fill_layout(struct shared *shared)
{
	const uint32_t layout[] = {
		TYPES,
		ND_SITES,
		SLOTS,
		ND_LIFETIME_BUCKETS,
		offsetof(struct shared, state),
		offsetof(struct shared, type),
		offsetof(struct shared, lifetime),
		offsetof(struct shared, site),
		offsetof(struct shared, slot),
	};

	memcpy(shared->layout, layout, sizeof(layout));
}

/* The memory is the thread's, and stays until that has ended. */
static void on_memory_unused(struct napi_env__ *env, void *data, void *hint)
{
}

static void on_env_end(void *arg)
{
	struct nd_thread *thread = arg;

	thread->async.is_gone = true;
	thread->async.is_on = false;
	thread->async.toggle = NULL;
}

/* Once a thread: give the script what it works with. */
static uint32_t load(struct nd_thread *thread, struct napi_env__ *env)
{
	struct napi_value__ *argv[3];

	if (!thread->async.table && !make_table(thread))
		return ND_ASYNC_NO_MEMORY;
	fill_layout(&thread->async.table->shared);
	if (napi_create_external_arraybuffer(env, &thread->async.table->shared,
					     sizeof(struct shared), on_memory_unused, NULL,
					     &argv[0]) ||
	    napi_create_function(env, "findType", ND_NAPI_AUTO_LENGTH, find_type, NULL, &argv[1]) ||
	    napi_create_function(env, "findSite", ND_NAPI_AUTO_LENGTH, find_site, NULL, &argv[2]))
		return ND_ASYNC_FAILED;
	thread->async.toggle = nd_script_load(env, nd_async_js, nd_async_js_len, 3, argv);
	/* Last: Node aborts when it is given a hook twice, and who fails here comes here again. */
	if (!thread->async.toggle || napi_add_env_cleanup_hook(env, on_env_end, thread))
		return ND_ASYNC_FAILED;
	return ND_ASYNC_OK;
}

/* Nothing of what was before, and no memory either that was needed for it. */
static void clear(struct nd_async_table *table)
{
	madvise(table, sizeof(*table), MADV_DONTNEED);
	fill_layout(&table->shared);
}

static void switch_off(struct nd_thread *thread, struct napi_env__ *env)
{
	if (!thread->async.is_on)
		return;
	thread->async.is_on = false;
	nd_script_switch(env, thread->async.toggle, false, 0);
}

static uint32_t switch_on(struct nd_thread *thread, struct napi_env__ *env)
{
	struct nd_async_state *async = &thread->async;
	uint32_t reason = async->toggle ? ND_ASYNC_OK : load(thread, env);

	if (reason != ND_ASYNC_OK)
		return reason;
	clear(async->table);
	async->since_ns = nd_clock_monotonic_ns();
	nd_async_set_clock(thread, async->since_ns);
	async->is_on = true;
	reason = (uint32_t)nd_script_switch(env, async->toggle, true, ND_ASYNC_FAILED);
	async->is_on = reason == ND_ASYNC_OK;
	return reason;
}

static void on_script(struct nd_thread *thread, struct napi_env__ *env)
{
	uint32_t session = __atomic_load_n(&nd_agent.async_session, __ATOMIC_RELAXED);

	switch_off(thread, env);
	__atomic_store_n(&thread->async.session, 0, __ATOMIC_RELEASE);
	if (session) {
		thread->async.reason = switch_on(thread, env);
		if (thread->async.reason)
			nd_log("asynchronous resources are not followed: reason %u",
			       thread->async.reason);
	} else if (thread->async.table) {
		clear(thread->async.table);
	}
	__atomic_store_n(&thread->async.session, session, __ATOMIC_RELEASE);
}

void nd_async_update(struct nd_thread *thread)
{
	uint32_t session = __atomic_load_n(&nd_agent.async_session, __ATOMIC_RELAXED);

	if (session != thread->async.session && !thread->async.is_gone)
		nd_script_enter(thread, on_script);
}

static void on_stop(struct nd_thread *thread, struct napi_env__ *env)
{
	switch_off(thread, env);
	__atomic_store_n(&thread->async.session, 0, __ATOMIC_RELEASE);
	clear(thread->async.table);
}

bool nd_async_stop(struct nd_thread *thread)
{
	if (thread->async.is_on)
		nd_script_enter(thread, on_stop);
	return !thread->async.is_on;
}

void nd_async_set_clock(struct nd_thread *thread, uint64_t now)
{
	uint64_t us, windows;
	double *state;

	if (!thread->async.is_on)
		return;
	us = (now - thread->async.since_ns) / 1000;
	windows = us / (WINDOW_NS / 1000);
	state = thread->async.table->shared.state;
	state[NOW_US] = (double)us;
	state[WINDOW] = (double)windows;
}

/* Another thread may be counting: each number is whole, and they need not fit each other. */
static double get(const double *number)
{
	double value;

	__atomic_load(number, &value, __ATOMIC_RELAXED);
	return value;
}

static uint64_t get_number(const double *number)
{
	double value = get(number);

	return value > 0 ? (uint64_t)value : 0;
}

static void write_state(struct nd_thread *thread, struct nd_ring *ring, uint64_t now)
{
	const struct nd_async_table *table = thread->async.table;
	struct nd_event_async *event =
		nd_channel_begin(ring, ND_EVENT_ASYNC, thread->tid, now, sizeof(*event));

	if (!event)
		return;
	event->reason = thread->async.reason;
	event->pad = 0;
	event->since_ns = thread->async.since_ns;
	event->resources_lost = table ? get_number(&table->shared.state[LOST]) : 0;
	event->sites_lost = table ? table->sites.lost : 0;
	event->types_lost = table ? get_number(&table->shared.state[TYPES_LOST]) : 0;
	nd_ring_commit(ring, event, sizeof(*event));
}

static bool write_type(struct nd_thread *thread, uint32_t index, struct nd_ring *ring, uint64_t now)
{
	const struct nd_async_table *table = thread->async.table;
	const double *sums = table->shared.type[index];
	struct nd_event_async_type *event =
		nd_channel_begin(ring, ND_EVENT_ASYNC_TYPE, thread->tid, now, sizeof(*event));

	if (!event)
		return false;
	memcpy(event->name, table->type_name[index], sizeof(event->name));
	event->created = get_number(&sums[CREATED]);
	event->alive = get_number(&sums[ALIVE]);
	event->ended = get_number(&sums[ENDED]);
	event->looks = get_number(&sums[LOOKS]);
	event->total_us = get_number(&sums[TOTAL_US]);
	event->max_us = get_number(&sums[MAX_US]);
	memcpy(event->lifetime, table->shared.lifetime[index], sizeof(event->lifetime));
	nd_ring_commit(ring, event, sizeof(*event));
	return true;
}

static bool write_site(struct nd_thread *thread, uint32_t index, struct nd_ring *ring, uint64_t now)
{
	const struct nd_async_table *table = thread->async.table;
	const struct nd_site *site = &table->sites.site[index];
	const double *sums = table->shared.site[index];
	struct nd_event_async_site *event =
		nd_channel_begin(ring, ND_EVENT_ASYNC_SITE, thread->tid, now, sizeof(*event));

	if (!event)
		return false;
	memcpy(event->type, table->type_name[site->type], sizeof(event->type));
	memcpy(event->function, site->function, sizeof(event->function));
	memcpy(event->file, site->file, sizeof(event->file));
	event->line = site->line;
	event->column = site->column;
	event->created = get_number(&sums[CREATED]);
	event->alive = get_number(&sums[ALIVE]);
	event->ended = get_number(&sums[ENDED]);
	event->total_us = get_number(&sums[TOTAL_US]);
	event->max_us = get_number(&sums[MAX_US]);
	nd_ring_commit(ring, event, sizeof(*event));
	return true;
}

/* Whether the sums are others than the reader was told last. */
static bool has_changed(const double *sums, const double told[2], double ret_now[2])
{
	ret_now[0] = get(&sums[CREATED]);
	ret_now[1] = get(&sums[ENDED]);
	return ret_now[0] != told[0] || ret_now[1] != told[1];
}

/* What finds no room in the ring is written the next time. */
static void write_table(struct nd_thread *thread, struct nd_ring *ring, uint64_t now)
{
	struct nd_async_table *table = thread->async.table;
	uint32_t i, types = __atomic_load_n(&table->type_count, __ATOMIC_ACQUIRE);
	uint32_t sites = __atomic_load_n(&table->sites.count, __ATOMIC_ACQUIRE);
	double told[2];

	for (i = 1; i < types; i++)
		if (has_changed(table->shared.type[i], table->type_told[i], told) &&
		    write_type(thread, i, ring, now))
			memcpy(table->type_told[i], told, sizeof(told));
	for (i = 1; i < sites; i++)
		if (has_changed(table->shared.site[i], table->site_told[i], told) &&
		    write_site(thread, i, ring, now))
			memcpy(table->site_told[i], told, sizeof(told));
}

void nd_async_write(struct nd_thread *thread, struct nd_ring *ring)
{
	uint64_t now = nd_clock_monotonic_ns();

	if (!__atomic_load_n(&thread->async.session, __ATOMIC_ACQUIRE))
		return;
	write_state(thread, ring, now);
	if (thread->async.reason == ND_ASYNC_OK && thread->async.table)
		write_table(thread, ring, now);
}

void nd_async_free(struct nd_thread *thread)
{
	if (thread->async.table)
		munmap(thread->async.table, sizeof(*thread->async.table));
}
