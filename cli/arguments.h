/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_ARGUMENTS_H
#define NODIAG_CLI_ARGUMENTS_H

/* What the command lines of all commands have in common. */

#include <argp.h>
#include <stddef.h>
#include <stdint.h>

struct nd_err;

/* The key of --usage; that of --help is '?'. A command's own keys begin at 256. */
#define ARGUMENTS_USAGE 0x1000

/* The last rows of a command's table of options. */
#define ARGUMENTS_HELP_OPTIONS                                                                     \
	{NULL, 0, NULL, 0, "Help", -1}, {"help", '?', NULL, 0, "Give this help list", -1},         \
	{                                                                                          \
		"usage", ARGUMENTS_USAGE, NULL, 0, "Give a short usage message", -1                \
	}

struct arguments {
	unsigned int help; /* what argp_help() is asked for, 0: nothing */
	char **list;	   /* what is no option, borrowed */
	size_t count;
};

/*
 * Read a command line with a command's table and parser, whose input is `input`. 0, also where help
 * is asked for; or EXIT_USAGE with `err` set, which the parser may have done.
 */
int arguments_read(const struct argp *argp, int argc, char **argv, void *input, struct nd_err *err);

/* Print the help that was asked for, of the command of that name. EXIT_DONE, or EXIT_FAILED. */
int arguments_print_help(const struct argp *argp, const struct arguments *arguments, char *name,
			 struct nd_err *err);

/*
 * Handle what a command's parser does not know itself: help, what is no option, and errors, which
 * are set in `err` where there is none yet.
 */
error_t arguments_parse(int key, const struct argp_state *state, struct arguments *arguments,
			struct nd_err *err);

/*
 * Read what options of several commands take: a time with its unit, the threshold of a stall, which
 * is 1 ms or more, and samples a second. 0, or EINVAL with `err` set.
 */
error_t arguments_parse_time(const char *arg, uint64_t *ret_ns, struct nd_err *err);
error_t arguments_parse_threshold(const char *arg, uint64_t *ret_ns, struct nd_err *err);
error_t arguments_parse_rate(const char *arg, unsigned int *ret_hz, struct nd_err *err);

#endif /* NODIAG_CLI_ARGUMENTS_H */
