/* SPDX-License-Identifier: Apache-2.0 */
#include "common/set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 256

/* A word at a time, spread over all bits: records differ mostly in the low ones of their fields. */
static uint32_t hash(const char *record, size_t size)
{
	uint64_t value = size, word;
	size_t len;

	for (; size; record += len, size -= len) {
		len = size < sizeof(word) ? size : sizeof(word);
		word = 0;
		memcpy(&word, record, len);
		value = (value ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		value ^= value >> 32;
	}
	return (uint32_t)value;
}

/* The slot of a record, or the free one where it belongs. At least half of them are free. */
static uint32_t *find_slot(const struct nd_set *set, const char *record)
{
	uint32_t at = hash(record, set->size), id;

	for (;; at++) {
		at &= set->slot_count - 1;
		id = set->slots[at];
		if (!id || !memcmp(set->records + (id - 1) * set->size, record, set->size))
			return &set->slots[at];
	}
}

/* Room for half as many records. */
static int set_slots(struct nd_set *set, uint32_t slot_count)
{
	uint32_t id;
	uint32_t *slots = calloc(slot_count, sizeof(*slots));
	char *records = NULL;

	if (slots)
		records = reallocarray(set->records, slot_count / 2, set->size);
	if (!records) {
		free(slots);
		return -ENOMEM;
	}
	free(set->slots);
	set->slots = slots;
	set->slot_count = slot_count;
	set->records = records;
	for (id = 0; id < set->count; id++)
		*find_slot(set, records + id * set->size) = id + 1;
	return 0;
}

static int grow(struct nd_set *set)
{
	return set_slots(set, set->slot_count ? set->slot_count * 2 : FIRST_SLOTS);
}

int nd_set_reserve(struct nd_set *set, uint32_t count)
{
	uint64_t slot_count = set->slot_count ? set->slot_count : FIRST_SLOTS;

	while (slot_count / 2 < count)
		slot_count *= 2;
	if (slot_count > UINT32_MAX)
		return -ENOMEM;
	return slot_count == set->slot_count ? 0 : set_slots(set, (uint32_t)slot_count);
}

bool nd_set_find(const struct nd_set *set, const void *record, uint32_t *ret_id)
{
	uint32_t id = set->slot_count ? *find_slot(set, record) : 0;

	if (id)
		*ret_id = id - 1;
	return id != 0;
}

int nd_set_add(struct nd_set *set, const void *record, uint32_t max, uint32_t *ret_id)
{
	uint32_t *slot;

	if (!set->slot_count && grow(set))
		return -ENOMEM;
	slot = find_slot(set, record);
	if (*slot) {
		*ret_id = *slot - 1;
		return 0;
	}
	if (set->count >= max)
		return -E2BIG;
	if (set->count == set->slot_count / 2) {
		if (grow(set))
			return -ENOMEM;
		slot = find_slot(set, record);
	}
	memcpy(set->records + set->count * set->size, record, set->size);
	*slot = ++set->count;
	*ret_id = set->count - 1;
	return 0;
}

void nd_set_fini(struct nd_set *set)
{
	free(set->records);
	free(set->slots);
	*set = (struct nd_set){.size = set->size};
}
