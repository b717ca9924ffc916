/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/profile/frame_text.h"

#include <ctype.h>
#include <string.h>

#include "analyzer/profile/kind.h"

/* V8's code event tags (src/logging/code-events.h) and what follows them. */
static const struct tag {
	const char *text;
	enum nd_frame_kind kind; /* ND_FRAME_JS: a mark, a name and a place follow */
} tags[] = {
	{"LazyCompile:", ND_FRAME_JS},
	{"Function:", ND_FRAME_JS},
	{"InterpretedFunction:", ND_FRAME_JS},
	{"JS:", ND_FRAME_JS},
	{"Script:", ND_FRAME_JS},
	{"Eval:", ND_FRAME_JS},
	{"Builtin:", ND_FRAME_BUILTIN},
	{"BytecodeHandler:", ND_FRAME_BUILTIN},
	{"Stub:", ND_FRAME_BUILTIN},
	{"RegExp:", ND_FRAME_REGEXP},
};

static const struct tag *find_tag(const char *text)
{
	size_t i;

	for (i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
		if (!strncmp(text, tags[i].text, strlen(tags[i].text)))
			return &tags[i];
	return NULL;
}

static enum nd_tier tier_of(char mark)
{
	switch (mark) {
	case '~':
		return ND_TIER_IGNITION;
	case '^':
		return ND_TIER_SPARKPLUG;
	case '+':
		return ND_TIER_MAGLEV;
	case '*':
		return ND_TIER_TURBOFAN;
	default:
		return ND_TIER_NONE;
	}
}

/* Cut ":NUMBER" from the end of `text`; false where there is none that fits. */
static bool cut_number(char *text, uint32_t *ret_number)
{
	char *end = text + strlen(text), *at = end;
	uint64_t number = 0;

	while (at > text && isdigit((unsigned char)at[-1]))
		at--;
	if (at == end || at == text || at[-1] != ':' || end - at > 9)
		return false;
	at[-1] = '\0';
	while (at < end)
		number = number * 10 + (uint64_t)(*at++ - '0');
	*ret_number = (uint32_t)number;
	return true;
}

/* Take "file:line:column" or "file:line" apart; false where there is no line. */
static bool cut_place(char *place, struct nd_frame *frame)
{
	uint32_t first, second;
	bool found = cut_number(place, &first);

	frame->file = place;
	if (found && cut_number(place, &second)) {
		frame->line = second;
		frame->column = first;
	} else if (found) {
		frame->line = first;
	}
	return found;
}

static bool looks_like_place(const char *text)
{
	size_t len = strlen(text);

	return len && isdigit((unsigned char)text[len - 1]) &&
	       (strchr(text, '/') || strchr(text, '\\') || !strncmp(text, "node:", 5));
}

static void set_script(struct nd_frame *frame, char *name, char *place)
{
	cut_place(place, frame);
	frame->name = name[0] && strcmp(name, "<anonymous>") != 0 ? name : "(anonymous)";
	frame->kind = nd_frame_kind_of_url(frame->file);
}

/* "*name place", "*name", "* place" */
static void decode_v8(char *text, struct nd_frame_text *ret_frame)
{
	char *place;

	ret_frame->tier = tier_of(text[0]);
	if (ret_frame->tier != ND_TIER_NONE)
		text++;
	place = strrchr(text, ' ');
	if (!place) {
		ret_frame->frame.name = text[0] ? text : "(anonymous)";
		ret_frame->frame.kind = ND_FRAME_JS;
		return;
	}
	*place = '\0';
	set_script(&ret_frame->frame, text, place + 1);
}

/* "name (place)"; `jit` where a suffix says that it is a script even without a line. */
static bool decode_parentheses(char *text, bool jit, struct nd_frame *frame)
{
	size_t len = strlen(text);
	char *open = strstr(text, " (");

	if (!open || open == text || text[len - 1] != ')' || open + 2 == text + len - 1)
		return false;
	if (!jit && !isdigit((unsigned char)text[len - 2]))
		return false;
	text[len - 1] = '\0';
	*open = '\0';
	set_script(frame, text, open + 2);
	return true;
}

/* Cut "_[x]" from the end and return x, or 0. */
static char cut_suffix(char *text)
{
	size_t len = strlen(text);
	char mark;

	if (len < 5 || text[len - 4] != '_' || text[len - 3] != '[' || text[len - 1] != ']')
		return 0;
	mark = text[len - 2];
	if (mark != 'j' && mark != 'k' && mark != 'i')
		return 0;
	text[len - 4] = '\0';
	return mark;
}

void nd_frame_text_decode(char *text, struct nd_frame_text *ret_frame)
{
	char suffix = cut_suffix(text);
	const struct tag *tag = find_tag(text);
	struct nd_frame *frame = &ret_frame->frame;
	char *place = strrchr(text, ' ');

	*ret_frame = (struct nd_frame_text){
		.frame = {.name = text, .file = "", .kind = ND_FRAME_NATIVE},
		.inlined = suffix == 'i',
	};
	if (suffix == 'k') {
		frame->kind = ND_FRAME_KERNEL;
	} else if (!text[0] || !strcmp(text, "[unknown]")) {
		frame->name = "[unknown]";
		frame->kind = ND_FRAME_UNKNOWN;
	} else if (tag && tag->kind == ND_FRAME_JS) {
		decode_v8(text + strlen(tag->text), ret_frame);
	} else if (tag) {
		frame->name = text + strlen(tag->text);
		frame->kind = tag->kind;
	} else if (decode_parentheses(text, suffix == 'j', frame)) {
		return;
	} else if (place && looks_like_place(place + 1)) {
		*place = '\0';
		set_script(frame, text, place + 1);
	} else if (suffix == 'j' || nd_frame_kind_of_v8(text) != ND_FRAME_BUILTIN) {
		frame->kind = nd_frame_kind_of_v8(text);
	}
}
