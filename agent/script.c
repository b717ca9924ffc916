/* SPDX-License-Identifier: Apache-2.0 */

/*
 * To touch an object of V8's one must be in a HandleScope, whose constructor is no function in all
 * versions. A microtask in C is called inside of one, and while a loop is about to poll, the queue
 * of microtasks is empty; so one that is put there runs alone, and at once.
 */

#include "agent/script.h"

#include "agent/context.h"
#include "agent/core.h"
#include "agent/log.h"
#include "agent/node_abi.h"
#include "agent/thread.h"

bool nd_script_is_known(void)
{
	return nd_isolate_enqueue_microtask && nd_microtasks_checkpoint &&
	       nd_microtasks_is_running && nd_object_new && nd_isolate_get_current_context &&
	       nd_napi_register && napi_add_env_cleanup_hook && napi_call_function &&
	       napi_create_function && napi_create_reference && napi_create_string_latin1 &&
	       napi_delete_reference && napi_get_and_clear_last_exception && napi_get_boolean &&
	       napi_get_cb_info && napi_get_reference_value && napi_get_typedarray_info &&
	       napi_get_undefined && napi_get_value_string_latin1 && napi_get_value_string_utf8 &&
	       napi_get_value_uint32 && napi_run_script;
}

/* Node tears down: its Node-API is not to be called any more. */
static void on_env_end(void *arg)
{
	struct nd_thread *thread = arg;

	nd_context_forget(thread);
	thread->script.env = NULL;
	thread->script.is_over = true;
}

static struct napi_value__ *on_env(struct napi_env__ *env, struct napi_value__ *exports)
{
	struct nd_thread *thread = nd_thread_self();

	if (!napi_add_env_cleanup_hook(env, on_env_end, thread))
		thread->script.env = env;
	return exports;
}

static void make_env(struct nd_thread *thread)
{
	struct nd_local *exports = nd_object_new(thread->isolate);
	struct nd_local *module = nd_object_new(thread->isolate);
	struct nd_local *context = nd_isolate_get_current_context(thread->isolate);

	if (exports && module && context)
		nd_napi_register(exports, module, context, on_env, ND_NAPI_VERSION);
	if (!thread->script.env)
		nd_log("no Node-API in thread %u", thread->tid);
}

static void on_microtask(void *data)
{
	struct nd_thread *thread = data;
	nd_script_work *work = thread->script.work;

	thread->script.work = NULL;
	if (!thread->script.env)
		make_env(thread);
	if (thread->script.env)
		work(thread, thread->script.env);
}

bool nd_script_enter(struct nd_thread *thread, nd_script_work *work)
{
	if (!nd_script_is_known() || thread->script.work || thread->script.is_over ||
	    !nd_thread_has_isolate(thread) || nd_microtasks_is_running(thread->isolate))
		return false;
	thread->script.work = work;
	nd_isolate_enqueue_microtask(thread->isolate, on_microtask, thread);
	nd_microtasks_checkpoint(thread->isolate);
	return true;
}

/* What was thrown is ours, and nobody else's business. */
static void drop_exception(struct napi_env__ *env, const char *what)
{
	struct napi_value__ *exception;

	napi_get_and_clear_last_exception(env, &exception);
	nd_log("the agent's script did not %s in thread %u", what, nd_thread_self()->tid);
}

struct napi_ref__ *nd_script_load(struct napi_env__ *env, const unsigned char *text, size_t size,
				  size_t argc, struct napi_value__ *const *argv)
{
	struct napi_value__ *source, *undefined, *script, *function;
	struct napi_ref__ *reference = NULL;

	if (napi_create_string_latin1(env, (const char *)text, size, &source) ||
	    napi_get_undefined(env, &undefined) || napi_run_script(env, source, &script) ||
	    napi_call_function(env, undefined, script, argc, argv, &function) ||
	    napi_create_reference(env, function, 1, &reference)) {
		drop_exception(env, "load");
		return NULL;
	}
	return reference;
}

int nd_script_switch(struct napi_env__ *env, struct napi_ref__ *function, bool on, int failed)
{
	struct napi_value__ *undefined, *callee, *argument, *answer;
	uint32_t number;

	if (!napi_get_undefined(env, &undefined) &&
	    !napi_get_reference_value(env, function, &callee) &&
	    !napi_get_boolean(env, on, &argument) &&
	    !napi_call_function(env, undefined, callee, 1, &argument, &answer) &&
	    !napi_get_value_uint32(env, answer, &number))
		return (int)number;
	drop_exception(env, on ? "start" : "stop");
	return failed;
}
