/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/arguments.h"

#include <errno.h>

#include "common/err.h"

error_t arguments_parse(int key, const struct argp_state *state, struct arguments *arguments,
			struct nd_err *err)
{
	switch (key) {
	case '?':
		arguments->help = ARGP_HELP_STD_HELP;
		return 0;
	case ARGUMENTS_USAGE:
		arguments->help = ARGP_HELP_USAGE;
		return 0;
	case ARGP_KEY_ARGS:
		arguments->list = state->argv + state->next;
		arguments->count = (size_t)(state->argc - state->next);
		return 0;
	case ARGP_KEY_ERROR:
		if (!err->code)
			nd_err_set(err, -EINVAL, "unknown or incomplete option '%s'",
				   state->argv[state->next - 1]);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}
