/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/script.h"

#include <stdbool.h>
#include <string.h>

#include "common/buf.h"

/* Options of Node.js that take the next argument as their value. */
static const char value_options[] =
	"-r --require --import --loader --experimental-loader -C --conditions --env-file "
	"--env-file-if-exists --experimental-config-file --title --inspect-port --debug-port "
	"--input-type --unhandled-rejections --disable-warning --redirect-warnings "
	"--max-http-header-size --dns-result-order --icu-data-dir --openssl-config "
	"--tls-cipher-list --tls-keylog --secure-heap --secure-heap-min --localstorage-file "
	"--trace-event-categories --trace-event-file-pattern --diagnostic-dir --cpu-prof-dir "
	"--cpu-prof-name --cpu-prof-interval --heap-prof-dir --heap-prof-name "
	"--heap-prof-interval --heapsnapshot-signal --heapsnapshot-near-heap-limit --report-dir "
	"--report-directory --report-filename --report-signal --snapshot-blob --allow-fs-read "
	"--allow-fs-write --test-name-pattern --test-reporter --test-reporter-destination "
	"--test-concurrency --test-timeout --watch-path";

/* Those after which there is no script: code, stdin, a script of package.json. */
static const char last_options[] = "-e --eval -p --print -pe --run -";

/* Whether a list of words, with a space between them, has `word`. */
static bool is_among(const char *word, const char *list)
{
	size_t len = strlen(word), at;

	for (at = 0; list[at]; at += strspn(list + at, " ")) {
		if (strcspn(list + at, " ") == len && !strncmp(list + at, word, len))
			return true;
		at += strcspn(list + at, " ");
	}
	return false;
}

const char *script_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The argument behind `arg`; NULL behind the last one. */
static const char *next(const char *arg, const char *end)
{
	arg += strlen(arg) + 1;
	return arg < end ? arg : NULL;
}

/* A single text that is not just the program's path. */
static bool is_title(const char *args, size_t len)
{
	return strlen(args) == len && strchr(args, ' ');
}

const char *script_find(const char *args, size_t len)
{
	const char *end = args + len, *arg = args;

	if (is_title(args, len))
		return NULL;
	while ((arg = next(arg, end))) {
		if (!strcmp(arg, "--"))
			return next(arg, end);
		if (is_among(arg, last_options))
			return NULL;
		if (*arg != '-')
			return arg;
		if (is_among(arg, value_options))
			arg = next(arg, end);
		if (!arg)
			return NULL;
	}
	return NULL;
}

const char *script_name(const char *args, size_t len)
{
	const char *script = script_find(args, len);

	if (script)
		return script_base(script);
	return is_title(args, len) ? args : "node";
}

void script_describe(const char *args, size_t len, struct nd_buf *out)
{
	const char *end = args + len, *script = script_find(args, len), *arg;
	const char *program = script_base(args);

	if (is_title(args, len)) {
		nd_buf_add_str(out, args);
		return;
	}
	/* Another name than node's says more than the script does. */
	if (!script || strncmp(program, "node", 4) != 0) {
		nd_buf_add_str(out, program);
		arg = next(args, end);
	} else {
		nd_buf_add_str(out, script);
		arg = next(script, end);
	}
	for (; arg; arg = next(arg, end)) {
		nd_buf_add_char(out, ' ');
		nd_buf_add_str(out, arg);
	}
}
