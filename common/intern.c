/* SPDX-License-Identifier: Apache-2.0 */
#include "common/intern.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct entry {
	UT_hash_handle hh;
	uint32_t id;
	char str[];
};

struct nd_intern {
	struct entry *set;
	struct entry **by_id;
	uint32_t count;
	uint32_t cap;
};

static int grow(struct nd_intern *intern)
{
	uint32_t cap = intern->cap ? intern->cap * 2 : 64;
	struct entry **by_id;

	if (intern->count < intern->cap)
		return 0;
	by_id = realloc(intern->by_id, cap * sizeof(struct entry *));
	if (!by_id)
		return -ENOMEM;
	intern->by_id = by_id;
	intern->cap = cap;
	return 0;
}

int nd_intern_add(struct nd_intern *intern, const char *str, size_t len, uint32_t *ret_id)
{
	struct entry *e;

	len = strnlen(str, len);
	HASH_FIND(hh, intern->set, str, len, e);
	if (e) {
		*ret_id = e->id;
		return 0;
	}
	if (grow(intern))
		return -ENOMEM;
	e = malloc(sizeof(*e) + len + 1);
	if (!e)
		return -ENOMEM;
	e->id = intern->count;
	memcpy(e->str, str, len);
	e->str[len] = '\0';
	HASH_ADD_KEYPTR(hh, intern->set, e->str, len, e);
	if (!e->hh.tbl) {
		free(e);
		return -ENOMEM;
	}
	intern->by_id[intern->count++] = e;
	*ret_id = e->id;
	return 0;
}

struct nd_intern *nd_intern_new(void)
{
	struct nd_intern *intern = calloc(1, sizeof(*intern));
	uint32_t id;

	if (intern && nd_intern_add(intern, "", 0, &id)) {
		nd_intern_free(intern);
		return NULL;
	}
	return intern;
}

void nd_intern_free(struct nd_intern *intern)
{
	struct entry *e, *next;

	if (!intern)
		return;
	/* uthash keeps its elements in a list too, which outlives the table. */
	e = intern->set;
	HASH_CLEAR(hh, intern->set);
	for (; e; e = next) {
		next = e->hh.next;
		free(e);
	}
	free(intern->by_id);
	free(intern);
}

const char *nd_intern_get(const struct nd_intern *intern, uint32_t id)
{
	return intern->by_id[id]->str;
}

uint32_t nd_intern_count(const struct nd_intern *intern)
{
	return intern->count;
}
