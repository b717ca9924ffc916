/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_OUT_H
#define NODIAG_CLI_OUT_H

/*
 * Where an answer goes: a file that is there whole or not at all, or stdout; or, for recordings, a
 * file that grows.
 *
 * The place is claimed before the work begins, so that ten seconds of recording are not lost to a
 * wrong path; the file gets its name only when it is complete, and none is overwritten unasked.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct nd_buf;
struct nd_err;

struct out {
	char path[4096];      /* "-" for stdout */
	char temporary[4160]; /* name until it is complete; "" when it has none */
	int fd;
	bool force;
	bool is_new;   /* a file of our own making: not stdout, not a device */
	bool is_named; /* it has its name already */
	uint64_t size; /* bytes written by out_append() */
};

/*
 * The name of an answer that was given none: what it is, of which process (0: of several, or of
 * none), and when, so that answers do not collide: "flame-4242-20240131-235959.html".
 */
void out_make_name(const char *what, pid_t pid, const char *extension, char *buf, size_t size);

/*
 * Claim `path`, or stdout for "-". Fails when the file exists, unless `force`, when it cannot be
 * written, and when `binary` and stdout is a terminal.
 */
int out_open(struct out *out, const char *path, bool force, bool binary, struct nd_err *err);

/* Let nobody but its owner read a new file, whatever the umask. */
void out_make_private(const struct out *out);

/*
 * Claim `path` by making the file, which nobody else can do then: -EEXIST when it is there. Until
 * something is written it is empty, and out_close() removes it again.
 */
int out_create(struct out *out, const char *path, struct nd_err *err);

/* Write everything and give the file its name. A full disk is an error, and leaves nothing. */
int out_commit(struct out *out, const void *data, size_t len, struct nd_err *err);

/*
 * Write some of it, which out_commit() makes the file, with the rest of it or with nothing more.
 */
int out_write(struct out *out, const void *data, size_t len, struct nd_err *err);

/*
 * For what grows: write some of it at the end. The file gets its name with the first bytes, and
 * keeps it and them from then on. What does not fit leaves the file as it was.
 */
int out_append(struct out *out, const void *data, size_t len, struct nd_err *err);

/* See that a file is on its disk, which may have promised more than it can keep. */
int out_sync(struct out *out, struct nd_err *err);

/* Drop what was not committed. May be called twice, and on a zeroed `out` with fd -1. */
void out_close(struct out *out);

/* Print an answer that was rendered, unless that failed: `ret`. 0, or a negative errno. */
int out_print(const struct nd_buf *text, int ret, struct nd_err *err);

/* Flush stdout; -EIO or the like when what was printed did not arrive. */
int out_flush_stdout(struct nd_err *err);

#endif /* NODIAG_CLI_OUT_H */
