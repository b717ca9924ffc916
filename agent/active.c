/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/active.h"

#include <string.h>

#include "agent/channel.h"
#include "agent/core.h"
#include "agent/log.h"
#include "agent/node_abi.h"
#include "agent/script.h"
#include "agent/thread.h"
#include "common/clock.h"

/* Embedded. */
extern const unsigned char nd_active_js[] __attribute__((visibility("hidden")));
extern const unsigned int nd_active_js_len __attribute__((visibility("hidden")));

/* For the script: tell(type, count). */
static struct napi_value__ *tell(struct napi_env__ *env, struct napi_callback_info__ *info)
{
	struct nd_thread *thread = nd_thread_self();
	struct nd_event_resource *event;
	struct napi_value__ *argv[2];
	size_t argc = 2, len;
	char type[ND_ASYNC_TYPE_NAME] = "";
	uint32_t count;

	if (!thread || napi_get_cb_info(env, info, &argc, argv, NULL, NULL) || argc < 2 ||
	    napi_get_value_string_utf8(env, argv[0], type, sizeof(type), &len) ||
	    napi_get_value_uint32(env, argv[1], &count))
		return NULL;
	event = nd_channel_begin(&thread->ring, ND_EVENT_RESOURCE, thread->tid, thread->active_ns,
				 sizeof(*event));
	if (!event)
		return NULL;
	memcpy(event->type, type, sizeof(event->type));
	event->count = count;
	nd_ring_commit(&thread->ring, event, sizeof(*event));
	return NULL;
}

static void on_script(struct nd_thread *thread, struct napi_env__ *env)
{
	struct napi_ref__ *script = NULL;
	struct napi_value__ *function;

	thread->active_ns = nd_clock_monotonic_ns();
	if (!napi_create_function(env, "tell", ND_NAPI_AUTO_LENGTH, tell, NULL, &function))
		script = nd_script_load(env, nd_active_js, nd_active_js_len, 1, &function);
	if (!script || nd_script_switch(env, script, true, -1))
		nd_log("thread %u does not tell what keeps it alive", thread->tid);
	/* It is seldom needed, and nothing of ours is to stay. */
	if (script)
		napi_delete_reference(env, script);
}

void nd_active_write(struct nd_thread *thread)
{
	if (nd_agent.wanted & ND_FEATURE_ACTIVE)
		nd_script_enter(thread, on_script);
}
