/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/arguments.h"

#include <errno.h>

#include "cli/command.h"
#include "cli/out.h"
#include "cli/units.h"
#include "common/clock.h"
#include "common/err.h"
#include "probes/sampler.h"

/* Iterations shorter than that are no stalls by anybody's measure. */
#define THRESHOLD_MIN_NS ND_NSEC_PER_MSEC

static error_t parse_time(const char *arg, uint64_t min_ns, uint64_t *ret_ns, struct nd_err *err)
{
	if (units_parse_time(arg, ret_ns) && *ret_ns >= min_ns)
		return 0;
	nd_err_set(err, -EINVAL, "'%s' is no duration", arg);
	nd_err_hint(err, "give it with its unit: 500ms, 10s, 2m or 1h%s",
		    min_ns ? "; 1ms is the least" : "");
	return EINVAL;
}

error_t arguments_parse_time(const char *arg, uint64_t *ret_ns, struct nd_err *err)
{
	return parse_time(arg, 0, ret_ns, err);
}

error_t arguments_parse_threshold(const char *arg, uint64_t *ret_ns, struct nd_err *err)
{
	return parse_time(arg, THRESHOLD_MIN_NS, ret_ns, err);
}

error_t arguments_parse_rate(const char *arg, unsigned int *ret_hz, struct nd_err *err)
{
	uint64_t number;

	if (units_parse_number(arg, ND_SAMPLER_HZ_MIN, ND_SAMPLER_HZ_MAX, &number)) {
		*ret_hz = (unsigned int)number;
		return 0;
	}
	nd_err_set(err, -EINVAL, "'%s' is no rate", arg);
	nd_err_hint(err, "give %d to %d samples a second", ND_SAMPLER_HZ_MIN, ND_SAMPLER_HZ_MAX);
	return EINVAL;
}

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

int arguments_read(const struct argp *argp, int argc, char **argv, void *input, struct nd_err *err)
{
	if (!argp_parse(argp, argc, argv, ARGP_NO_ERRS | ARGP_NO_HELP, NULL, input))
		return EXIT_DONE;
	if (!err->hint[0])
		nd_err_hint(err, "%s --help", argv[0]);
	return EXIT_USAGE;
}

int arguments_print_help(const struct argp *argp, const struct arguments *arguments, char *name,
			 struct nd_err *err)
{
	argp_help(argp, stdout, arguments->help, name);
	return out_flush_stdout(err) ? EXIT_FAILED : EXIT_DONE;
}
