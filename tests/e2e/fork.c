/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A module for Node: fork(seconds) makes a child that lives for so long without becoming another
 * program, as some addons do, and returns its id.
 */

#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

/* Of Node's js_native_api.h, which is not installed everywhere. */
typedef struct napi_env__ *napi_env;
typedef struct napi_value__ *napi_value;
typedef struct napi_callback_info__ *napi_callback_info;
typedef napi_value (*napi_callback)(napi_env env, napi_callback_info info);

int napi_create_function(napi_env env, const char *name, size_t length, napi_callback callback,
			 void *data, napi_value *result);
int napi_create_int32(napi_env env, int32_t value, napi_value *result);
int napi_get_cb_info(napi_env env, napi_callback_info info, size_t *argc, napi_value *argv,
		     napi_value *self, void **data);
int napi_get_value_uint32(napi_env env, napi_value value, uint32_t *result);
int napi_set_named_property(napi_env env, napi_value object, const char *name, napi_value value);

__attribute__((visibility("default"))) napi_value napi_register_module_v1(napi_env env,
									  napi_value exports);

static napi_value call_fork(napi_env env, napi_callback_info info)
{
	napi_value argument, result;
	uint32_t seconds = 0;
	size_t count = 1;
	pid_t pid;

	napi_get_cb_info(env, info, &count, &argument, NULL, NULL);
	napi_get_value_uint32(env, argument, &seconds);
	pid = fork();
	if (pid == 0) {
		sleep(seconds);
		_exit(0);
	}
	napi_create_int32(env, pid, &result);
	return result;
}

napi_value napi_register_module_v1(napi_env env, napi_value exports)
{
	napi_value function;

	napi_create_function(env, "fork", SIZE_MAX, call_fork, NULL, &function);
	napi_set_named_property(env, exports, "fork", function);
	return exports;
}
