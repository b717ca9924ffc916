/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_AGENT_SCRIPT_H
#define NODIAG_AGENT_SCRIPT_H

/*
 * JavaScript of the agent's own, in a thread of the program: embedded in the agent, and run only
 * once a part that needs it is switched on.
 *
 * A script is one expression whose value is a function. It is no module: what it may use of Node it
 * gets from `process`. All of this is for the thread itself, while it is about to poll, so that no
 * JavaScript of the program is under way.
 */

#include <stdbool.h>
#include <stddef.h>

struct napi_env__;
struct napi_ref__;
struct napi_value__;
struct nd_thread;

typedef void nd_script_work(struct nd_thread *thread, struct napi_env__ *env);

/* Of a thread. */
struct nd_script_state {
	struct napi_env__ *env; /* NULL before the first script, and once Node tears down */
	nd_script_work *work;	/* what is to be done, until it is */
	bool is_over;		/* Node has torn down: none is made again */
};

/* Whether this V8 and this Node-API have what is called here. */
bool nd_script_is_known(void);

/*
 * Let `work` use JavaScript: it is called at once, or, where V8 does not let it, before the
 * thread's next callback has returned. False when that cannot be, or other work is still to be
 * done.
 */
bool nd_script_enter(struct nd_thread *thread, nd_script_work *work);

/*
 * Evaluate a script, call the function that it is with `argc` arguments, and keep the function that
 * this returns. NULL when it threw, or returned something else.
 */
struct napi_ref__ *nd_script_load(struct napi_env__ *env, const unsigned char *text, size_t size,
				  size_t argc, struct napi_value__ *const *argv);

/* Call a function that was kept with true or false; its number, or `failed` when it threw. */
int nd_script_switch(struct napi_env__ *env, struct napi_ref__ *function, bool on, int failed);

#endif /* NODIAG_AGENT_SCRIPT_H */
