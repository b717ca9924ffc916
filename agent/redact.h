/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_AGENT_REDACT_H
#define NODIAG_AGENT_REDACT_H

/*
 * Takes what a program's strings say out of a heap snapshot, while V8 writes it: of a string its
 * length and a keyed hash stay, so that equal ones are still equal. What is code stays, too: names
 * of classes, functions, variables, scripts and properties.
 *
 * V8 writes its table of strings last, and before it, who refers to which of them as what. Kept are
 * those that name an object that is no text, or a reference; those that name a property only where
 * they look like a name, since objects are used as maps with keys from outside. What is only the
 * text of strings and regular expressions goes, and so does whatever is not known. A string that is
 * a name as well as a text is there once, and stays.
 *
 * Two bits of memory for each string, and no calls but mmap(2). docs/internals/heap.md.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What comes in before the first number: V8's head has 2 KB. */
#define ND_REDACT_HEAD 16384

/* The longest string that can stay, escapes and all; V8 cuts names at 1,024 characters. */
#define ND_REDACT_TEXT 16384

#define ND_REDACT_OUT	(64u << 10)
#define ND_REDACT_TYPES 32

struct nd_redact_section {
	uint32_t fields; /* of a record */
	uint32_t type;	 /* which of them is its type, and which its name */
	uint32_t name;
	uint8_t use[ND_REDACT_TYPES]; /* by type: what its name is, see redact.c */
};

struct nd_redact {
	uint64_t key[2];
	/* Takes what is left; true to go on. */
	bool (*write)(void *arg, const char *data, size_t len);
	void *arg;

	/* The rest is its own; all zero at the start. */
	int state;
	size_t matched; /* of the key that ends this state */
	size_t head_len;
	struct nd_redact_section section[2];
	uint32_t field;
	uint32_t record_type;
	uint32_t record_name;
	uint64_t number;
	bool is_negative;
	uint8_t *uses; /* two bits for each string */
	size_t uses_size;
	uint32_t string; /* which one is being read */
	bool in_text;
	bool in_escape;
	uint32_t hex_left;
	size_t text_len;   /* bytes, which may be more than were kept */
	size_t characters; /* UTF-16 units */
	size_t out_len;
	char head[ND_REDACT_HEAD + 1];
	char text[ND_REDACT_TEXT + 1];
	char out[ND_REDACT_OUT];
};

/*
 * Take the next bytes of a snapshot, and write those that may go out. False when `write` said so,
 * when the snapshot is not as V8 writes it, or when there is no memory: then nothing more comes.
 */
bool nd_redact_feed(struct nd_redact *redact, const char *data, size_t len);

/* Write what is left, at the snapshot's end; false as above, and when it is not complete. */
bool nd_redact_finish(struct nd_redact *redact);

void nd_redact_fini(struct nd_redact *redact);

#endif /* NODIAG_AGENT_REDACT_H */
