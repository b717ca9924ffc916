/* SPDX-License-Identifier: Apache-2.0 */

/*
 * C++ and Rust names, shortened to what a frame of a flame graph is called. The demangler is the
 * one of libstdc++, through the entry that hands out its text in pieces: a mangled name of 300
 * bytes can refer back to itself so often that the text has gigabytes, and only this entry can be
 * left early. It keeps all its state on the stack, so leaving by longjmp() loses nothing.
 */

#include <ctype.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/symbols/elf.h"
#include "proto/limits.h"

extern int __gcclibcxx_demangle_callback(const char *name,
					 void (*add)(const char *text, size_t len, void *arg),
					 void *arg);

/* Brackets inside brackets; deeper names are left as they are. */
#define DEPTH_MAX 128

struct text {
	char data[ND_ELF_DEMANGLED_MAX + 1];
	size_t len;
	jmp_buf too_long;
};

static void add_text(const char *piece, size_t len, void *arg)
{
	struct text *text = arg;

	if (len > ND_ELF_DEMANGLED_MAX - text->len)
		longjmp(text->too_long, 1);
	memcpy(text->data + text->len, piece, len);
	text->len += len;
}

static bool demangle(const char *name, struct text *text)
{
	const char *unit = strstr(name, ".llvm.");
	size_t len = unit ? (size_t)(unit - name) : strlen(name);
	char mangled[ND_ELF_NAME_MAX + 1];

	if (strncmp(name, "_Z", 2) != 0 || len > ND_ELF_NAME_MAX)
		return false;
	/* Link-time optimisation numbers the local functions of each unit, ".llvm.123". */
	memcpy(mangled, name, len);
	mangled[len] = '\0';
	text->len = 0;
	if (setjmp(text->too_long) || __gcclibcxx_demangle_callback(mangled, add_text, text))
		return false;
	text->data[text->len] = '\0';
	return true;
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

/* The length of "operator" and its sign at `at`, or 0. "operator new" and conversions have none. */
static size_t match_operator(const char *text, const char *at)
{
	/* Longer signs come before those they start with; signs without brackets do not matter. */
	static const char *const signs[] = {"<=>", "<<=", ">>=", "->*", "()", "[]", "<<",
					    ">>",  "<=",  ">=",	 "->",	"<",  ">"};
	const size_t len = strlen("operator");
	size_t i;

	if (strncmp(at, "operator", len) != 0 || is_word(at[len]) || (at > text && is_word(at[-1])))
		return 0;
	for (i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
		if (!strncmp(at + len, signs[i], strlen(signs[i])))
			return len + strlen(signs[i]);
	return len;
}

struct brackets {
	const char *open[DEPTH_MAX];
	size_t depth;
};

/*
 * Keep track of brackets. An angle bracket may be a comparison or an arrow inside of others, so a
 * closing one of another kind forgets those left open, and ">" only closes "<". False when too
 * deep.
 */
static bool pass_bracket(struct brackets *b, const char *at)
{
	static const char opening[] = "([{<", closing[] = ")]}>";
	const char *kind = strchr(closing, *at);
	size_t depth = b->depth;

	if (strchr(opening, *at)) {
		if (b->depth == DEPTH_MAX)
			return false;
		b->open[b->depth++] = at;
		return true;
	}
	if (!kind)
		return true;
	while (depth && *b->open[depth - 1] != opening[kind - closing]) {
		if (*at == '>')
			return true;
		depth--;
	}
	if (depth)
		b->depth = depth - 1;
	return true;
}

/* What stands after the parentheses of an enclosing function: "f() const::{lambda()#1}". */
static bool is_qualifier(const char *text, const char *space)
{
	static const char *const words[] = {" const", " volatile", " &", " [", " noexcept"};
	size_t i;

	if (space == text || space[-1] != ')')
		return false;
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strncmp(space, words[i], strlen(words[i])))
			return true;
	return false;
}

/* What a walk over a demangled text finds outside of brackets. */
struct parts {
	char *name;	     /* behind the return type */
	char *arguments;     /* the last parentheses that are no part of the name; NULL: none */
	char *arguments_end; /* their closing one */
};

static void note_part(struct parts *parts, const char *text, char *at, bool in_operator)
{
	static const char anonymous[] = "(anonymous namespace)";

	if (*at == '(' && strncmp(at, anonymous, sizeof(anonymous) - 1) != 0) {
		parts->arguments = at;
	} else if (*at == ' ' && !in_operator && !is_qualifier(text, at)) {
		parts->name = at + 1;
		parts->arguments = NULL;
	}
}

/* False when the brackets do not tell the parts apart. */
static bool find_parts(char *text, struct parts *parts)
{
	struct brackets b = {.depth = 0};
	bool in_operator = false;
	size_t skip;
	char *at;

	*parts = (struct parts){.name = text, .arguments_end = text};
	for (at = text; *at; at++) {
		skip = match_operator(text, at);
		if (skip) {
			in_operator = in_operator || !b.depth;
			at += skip - 1;
			continue;
		}
		if (!b.depth)
			note_part(parts, text, at, in_operator);
		if (!pass_bracket(&b, at))
			return false;
		if (!b.depth && *at == ')')
			parts->arguments_end = at;
	}
	return !b.depth;
}

static bool ends_with(const char *text, size_t len, const char *end)
{
	size_t end_len = strlen(end);

	return len >= end_len && !memcmp(text + len - end_len, end, end_len);
}

/* Cut " [clone .cold]" and the qualifiers of a member function. */
static void cut_suffixes(struct text *text)
{
	static const char *const words[] = {" const", " volatile", " &&", " &"};
	char *clone = strstr(text->data, " [clone ");
	size_t i;

	if (clone)
		text->len = (size_t)(clone - text->data);
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!ends_with(text->data, text->len, words[i]))
			continue;
		text->len -= strlen(words[i]);
		i = (size_t)-1;
	}
	text->data[text->len] = '\0';
}

/*
 * The name alone: no return type and no arguments. A function that returns a pointer to a function
 * has its name inside, "void (*get<int>(int))(char)", so what is left may have to be cut again.
 */
static const char *cut_to_name(char *text)
{
	struct parts parts;

	while (find_parts(text, &parts)) {
		text = parts.name;
		if (!parts.arguments || parts.arguments == text || parts.arguments_end[1])
			break;
		parts.arguments[0] = '\0';
		if (text[0] != '(' || !strchr("*&", text[1]) || parts.arguments[-1] != ')')
			break;
		parts.arguments[-1] = '\0';
		text += 1 + strspn(text + 1, "*&");
	}
	return text;
}

/* Rust's older names are mangled as those of C++, and end with a hash: "::h0123456789abcdef". */
static bool is_rust(const struct text *text)
{
	const size_t hash_len = 16, len = strlen("::h") + hash_len;
	const char *hash = text->data + text->len - len;

	return text->len > len && !strncmp(hash, "::h", 3) &&
	       strspn(hash + 3, "0123456789abcdef") == hash_len;
}

/* The character that "$...$" stands for at `at`, 0 when it is none; what comes behind it. */
static char unescape_rust(const char *at, const char **ret_end)
{
	static const struct {
		const char *escape;
		char character;
	} escapes[] = {{"$LT$", '<'}, {"$GT$", '>'}, {"$LP$", '('}, {"$RP$", ')'},
		       {"$SP$", '@'}, {"$BP$", '*'}, {"$RF$", '&'}, {"$C$", ','}};
	unsigned long code;
	char *end;
	size_t i;

	for (i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++) {
		if (strncmp(at, escapes[i].escape, strlen(escapes[i].escape)) != 0)
			continue;
		*ret_end = at + strlen(escapes[i].escape);
		return escapes[i].character;
	}
	if (strncmp(at, "$u", 2) != 0 || !isxdigit((unsigned char)at[2]))
		return '\0';
	code = strtoul(at + 2, &end, 16);
	if (*end != '$' || code < ' ' || code > '~')
		return '\0';
	*ret_end = end + 1;
	return (char)code;
}

/* "_$LT$a..B$u20$as$u20$c..D$GT$::f::h..." to "<a::B as c::D>::f", in place. */
static void shorten_rust(struct text *text)
{
	const char *at = text->data, *end;
	char *to = text->data, c;

	text->data[text->len - strlen("::h0123456789abcdef")] = '\0';
	while (*at) {
		c = unescape_rust(at, &end);
		if (c) {
			*to++ = c;
			at = end;
		} else if (at[0] == '.' && at[1] == '.') {
			*to++ = ':';
			*to++ = ':';
			at += 2;
		} else if (at[0] == '_' && at[1] == '$' && (to == text->data || to[-1] == ':')) {
			at++;
		} else {
			*to++ = *at++;
		}
	}
	*to = '\0';
}

char *nd_elf_demangle(const char *name, char *buf, size_t size)
{
	struct text text;
	size_t len;

	if (!size)
		return buf;
	if (demangle(name, &text)) {
		name = text.data;
		if (is_rust(&text)) {
			shorten_rust(&text);
		} else {
			cut_suffixes(&text);
			name = cut_to_name(text.data);
		}
	}
	len = strnlen(name, size - 1);
	memcpy(buf, name, len);
	buf[len] = '\0';
	return buf;
}
