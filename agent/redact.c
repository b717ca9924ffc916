/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/redact.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/siphash.h"

enum state { HEAD, NODES, BEFORE_EDGES, EDGES, BEFORE_STRINGS, STRINGS, TAIL, FAILED };

/* What a string is to somebody who refers to it; stronger ones are larger. */
enum use { TEXT, NAME_IF_LIKE_ONE, NAME, NO_STRING };

/* V8's node indexes have 29 bits, and so have its strings. */
#define STRINGS_MAX (UINT32_C(1) << 29)

#define USES_START (64u << 10)

/* Longer keys of objects are no names that somebody wrote. */
#define NAME_MAX_LEN 48

/* Nor are those with more digits. */
#define NAME_DIGITS 4

/* What is in names besides letters and digits; symbols are called "nodejs.util.inspect.custom". */
#define MARKS	     "_$#-"
#define SYMBOL_MARKS MARKS ".:"

/* The keys behind which the next state begins. */
static const char *const keys[] = {
	[HEAD] = "\"nodes\":[",
	[BEFORE_EDGES] = "\"edges\":[",
	[BEFORE_STRINGS] = "\"strings\":[",
};

struct type_use {
	const char *type;
	enum use use;
};

static const struct type_use node_uses[] = {
	{"hidden", NAME}, {"array", NAME},	  {"object", NAME},
	{"code", NAME},	  {"closure", NAME},	  {"number", NAME},
	{"native", NAME}, {"synthetic", NAME},	  {"symbol", NAME_IF_LIKE_ONE},
	{"bigint", NAME}, {"object shape", NAME}, {"wasm object", NAME},
	{NULL, TEXT},
};

static const struct type_use edge_uses[] = {
	{"context", NAME},  {"element", NO_STRING}, {"property", NAME_IF_LIKE_ONE},
	{"internal", NAME}, {"hidden", NO_STRING},  {"shortcut", NAME},
	{"weak", NAME},	    {NULL, TEXT},
};

static uint8_t find_use(const struct type_use *uses, const char *type, size_t len)
{
	for (; uses->type; uses++)
		if (strlen(uses->type) == len && !strncmp(uses->type, type, len))
			break;
	return uses->use;
}

/* The next string of a list that begins at `at`; its end, or NULL when there is none. */
static const char *next_string(const char *at, const char **ret_start)
{
	at += strspn(at, " \n,[");
	if (*at != '"')
		return NULL;
	*ret_start = at + 1;
	return strchr(at + 1, '"');
}

static const char *find_list(const char *head, const char *key)
{
	const char *at = strstr(head, key);

	return at ? at + strlen(key) : NULL;
}

static bool read_fields(struct nd_redact_section *section, const char *list, const char *name)
{
	const char *start, *end;
	bool has_type = false, has_name = false;

	if (!list)
		return false;
	while ((end = next_string(list, &start))) {
		if (!strncmp(start, "type\"", 5)) {
			section->type = section->fields;
			has_type = true;
		} else if (!strncmp(start, name, strlen(name)) && start[strlen(name)] == '"') {
			section->name = section->fields;
			has_name = true;
		}
		section->fields++;
		list = end + 1;
		if (*list == ']')
			break;
	}
	return has_type && has_name;
}

/* The names of types are a list in a list. */
static bool read_types(struct nd_redact_section *section, const char *list,
		       const struct type_use *uses)
{
	const char *start, *end;
	uint32_t count = 0;

	if (!list)
		return false;
	while (count < ND_REDACT_TYPES && (end = next_string(list, &start))) {
		section->use[count++] = find_use(uses, start, (size_t)(end - start));
		list = end + 1;
		if (*list == ']')
			break;
	}
	return count > 0;
}

static bool read_head(struct nd_redact *redact)
{
	struct nd_redact_section *nodes = &redact->section[0], *edges = &redact->section[1];
	const char *head = redact->head;

	redact->head[redact->head_len] = '\0';
	return read_fields(nodes, find_list(head, "\"node_fields\":["), "name") &&
	       read_types(nodes, find_list(head, "\"node_types\":[["), node_uses) &&
	       read_fields(edges, find_list(head, "\"edge_fields\":["), "name_or_index") &&
	       read_types(edges, find_list(head, "\"edge_types\":[["), edge_uses);
}

static bool grow_uses(struct nd_redact *redact, size_t size)
{
	size_t grown = redact->uses_size ? redact->uses_size : USES_START;
	void *uses;

	while (grown < size)
		grown *= 2;
	uses = redact->uses ? mremap(redact->uses, redact->uses_size, grown, MREMAP_MAYMOVE)
			    : mmap(NULL, grown, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				   -1, 0);
	if (uses == MAP_FAILED)
		return false;
	redact->uses = uses;
	redact->uses_size = grown;
	return true;
}

static enum use get_use(const struct nd_redact *redact, uint32_t string)
{
	if (string / 4 >= redact->uses_size)
		return TEXT;
	return redact->uses[string / 4] >> (string % 4 * 2) & 3;
}

static bool add_use(struct nd_redact *redact, uint32_t string, enum use use)
{
	if (use == NO_STRING || use == TEXT)
		return true;
	if (string >= STRINGS_MAX)
		return false;
	if (string / 4 >= redact->uses_size && !grow_uses(redact, string / 4 + 1))
		return false;
	if (use > get_use(redact, string)) {
		redact->uses[string / 4] &= (uint8_t) ~(3u << (string % 4 * 2));
		redact->uses[string / 4] |= (uint8_t)((unsigned int)use << (string % 4 * 2));
	}
	return true;
}

static bool end_number(struct nd_redact *redact)
{
	const struct nd_redact_section *section = &redact->section[redact->state == EDGES];
	uint32_t number = redact->number > UINT32_MAX ? UINT32_MAX : (uint32_t)redact->number;
	bool is_fine = true;

	if (redact->field == section->type)
		redact->record_type = number;
	if (redact->field == section->name)
		redact->record_name = redact->is_negative ? UINT32_MAX : number;
	redact->number = 0;
	redact->is_negative = false;
	if (++redact->field < section->fields)
		return true;
	redact->field = 0;
	if (redact->record_type < ND_REDACT_TYPES)
		is_fine = add_use(redact, redact->record_name, section->use[redact->record_type]);
	return is_fine;
}

/* A section ends behind a whole record, or at once. */
static bool end_section(struct nd_redact *redact)
{
	bool is_whole = !redact->field || end_number(redact);

	redact->state = redact->state == NODES ? BEFORE_EDGES : BEFORE_STRINGS;
	return is_whole && !redact->field;
}

static bool take_number(struct nd_redact *redact, char c)
{
	if (c >= '0' && c <= '9')
		redact->number = redact->number * 10 + (uint64_t)(c - '0');
	else if (c == '-')
		redact->is_negative = true;
	else if (c == ',')
		return end_number(redact);
	else if (c == ']')
		return end_section(redact);
	return true;
}

/* What comes before a section: its key ends it. */
static bool take_key(struct nd_redact *redact, char c)
{
	const char *key = keys[redact->state];

	if (redact->state == HEAD) {
		if (redact->head_len == ND_REDACT_HEAD)
			return false;
		redact->head[redact->head_len++] = c;
	}
	if (c != key[redact->matched])
		redact->matched = 0;
	if (c == key[redact->matched])
		redact->matched++;
	if (key[redact->matched])
		return true;
	redact->matched = 0;
	redact->state++;
	return redact->state != NODES || read_head(redact);
}

static bool flush(struct nd_redact *redact)
{
	size_t len = redact->out_len;

	redact->out_len = 0;
	return !len || redact->write(redact->arg, redact->out, len);
}

static bool add(struct nd_redact *redact, const char *data, size_t len)
{
	if (len > ND_REDACT_OUT || (len > ND_REDACT_OUT - redact->out_len && !flush(redact)))
		return false;
	memcpy(redact->out + redact->out_len, data, len);
	redact->out_len += len;
	return true;
}

/*
 * "3 / part of key (Session @5) -> value (secret @7) pair in WeakMap (table @9)" has the texts of
 * what it refers to. Which objects those are is all that anybody needs.
 */
static bool is_weak_pair(const struct nd_redact *redact)
{
	static const char middle[] = " / part of key (";
	size_t digits = 0, ids = 0, i;

	for (i = 0; i < redact->text_len; i++)
		ids += redact->text[i] == '@';
	while (digits < redact->text_len && isdigit((unsigned char)redact->text[digits]))
		digits++;
	return ids >= 3 && digits && redact->text_len - digits > sizeof(middle) &&
	       !strncmp(redact->text + digits, middle, sizeof(middle) - 1);
}

/* Write the id that begins with '@'. */
static bool add_id(struct nd_redact *redact, const char *before, const char *at)
{
	return add(redact, before, strlen(before)) &&
	       add(redact, at, 1 + strspn(at + 1, "0123456789"));
}

/* Digits and our own words: whatever stands between them, no text comes through. */
static bool add_weak_pair(struct nd_redact *redact)
{
	char *text = redact->text, *key, *value = NULL, *table, *at;

	text[redact->text_len] = '\0';
	key = strchr(text, '@');
	table = strrchr(text, '@');
	for (at = key; at && at != table; at = strchr(at + 1, '@'))
		value = at;
	if (!value || !table)
		return false;
	return add(redact, "\"", 1) && add(redact, text, strspn(text, "0123456789")) &&
	       add_id(redact, " / part of key (redacted ", key) &&
	       add_id(redact, ") -> value (redacted ", value) &&
	       add_id(redact, ") pair in WeakMap (table ", table) && add(redact, ")\"", 2);
}

/* What somebody would call a property; not an address, a token, or a path. `marks` may be in it. */
static bool is_like_name(const char *text, size_t len, const char *marks)
{
	size_t i, digits = 0;

	if (len > NAME_MAX_LEN || isdigit((unsigned char)*text))
		return false;
	for (i = 0; i < len; i++) {
		if (!isalnum((unsigned char)text[i]) && !strchr(marks, text[i]))
			return false;
		digits += isdigit((unsigned char)text[i]) != 0;
	}
	return digits <= NAME_DIGITS;
}

/* The same of what V8 calls "<symbol name>", "get name" and "set name". */
static bool is_like_key(const char *text, size_t len)
{
	static const char symbol[] = "<symbol ";
	const size_t before = sizeof(symbol) - 1;

	if (len > before && !strncmp(text, symbol, before) && text[len - 1] == '>')
		return is_like_name(text + before, len - before - 1, SYMBOL_MARKS);
	if (len > 4 && (!strncmp(text, "get ", 4) || !strncmp(text, "set ", 4)))
		return is_like_name(text + 4, len - 4, MARKS);
	return is_like_name(text, len, MARKS);
}

static bool is_kept(const struct nd_redact *redact)
{
	enum use use = get_use(redact, redact->string);

	/* The first is a word of V8's own, and no text has nothing to hide. */
	if (!redact->string || !redact->text_len)
		return true;
	if (redact->text_len > ND_REDACT_TEXT || use == TEXT)
		return false;
	/* A module of that name is its own source. */
	if (use == NAME)
		return strncmp(redact->text, "data:", 5) != 0;
	return is_like_key(redact->text, redact->text_len);
}

static bool add_hash(struct nd_redact *redact)
{
	size_t len = redact->text_len < ND_REDACT_TEXT ? redact->text_len : ND_REDACT_TEXT;
	char text[80];
	int size = snprintf(text, sizeof(text), "\"<redacted %zu #%016" PRIx64 ">\"",
			    redact->characters, nd_siphash(redact->key, redact->text, len));

	return add(redact, text, (size_t)size);
}

static bool end_text(struct nd_redact *redact)
{
	bool is_fine;

	if (!is_kept(redact))
		is_fine = add_hash(redact);
	else if (is_weak_pair(redact))
		is_fine = add_weak_pair(redact);
	else
		is_fine = add(redact, "\"", 1) && add(redact, redact->text, redact->text_len) &&
			  add(redact, "\"", 1);
	redact->in_text = false;
	redact->string++;
	return is_fine;
}

/* Characters are counted as JavaScript does, an escape as one. */
static void count_character(struct nd_redact *redact, char c)
{
	if (redact->hex_left) {
		redact->hex_left--;
	} else if (redact->in_escape) {
		redact->hex_left = c == 'u' ? 4 : 0;
		redact->in_escape = false;
		redact->characters++;
	} else if (c == '\\') {
		redact->in_escape = true;
	} else {
		redact->characters++;
	}
}

static bool take_text(struct nd_redact *redact, char c)
{
	if (redact->in_text) {
		if (c == '"' && !redact->in_escape)
			return end_text(redact);
		if (redact->text_len < ND_REDACT_TEXT)
			redact->text[redact->text_len] = c;
		redact->text_len++;
		count_character(redact, c);
		return true;
	}
	if (c == '"') {
		redact->in_text = true;
		redact->text_len = redact->characters = 0;
		return true;
	}
	if (c == ']')
		redact->state = TAIL;
	return add(redact, &c, 1);
}

static bool take(struct nd_redact *redact, char c)
{
	switch (redact->state) {
	case HEAD:
	case BEFORE_EDGES:
	case BEFORE_STRINGS:
		return take_key(redact, c);
	case NODES:
	case EDGES:
		return take_number(redact, c);
	default:
		return false;
	}
}

/* Before the strings there is nothing to hide; the length of it. */
static size_t pass_numbers(struct nd_redact *redact, const char *data, size_t len)
{
	size_t i;

	for (i = 0; i < len && redact->state < STRINGS; i++)
		if (!take(redact, data[i]))
			redact->state = FAILED;
	return i;
}

bool nd_redact_feed(struct nd_redact *redact, const char *data, size_t len)
{
	size_t i = pass_numbers(redact, data, len);

	if (redact->state == FAILED || (i && !redact->write(redact->arg, data, i)))
		return false;
	for (; i < len && redact->state == STRINGS; i++)
		if (!take_text(redact, data[i])) {
			redact->state = FAILED;
			return false;
		}
	return i == len || add(redact, data + i, len - i);
}

bool nd_redact_finish(struct nd_redact *redact)
{
	return redact->state == TAIL && flush(redact);
}

void nd_redact_fini(struct nd_redact *redact)
{
	if (redact->uses)
		munmap(redact->uses, redact->uses_size);
	redact->uses = NULL;
	redact->uses_size = 0;
}
