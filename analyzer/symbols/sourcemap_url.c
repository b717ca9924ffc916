/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/symbols/sourcemap.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "analyzer/symbols/base64.h"
#include "common/buf.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/*
 * The URL of a comment as V8 reads it: "//" and "#" or "@" and white space before the key, no
 * quotes in the URL, nothing but white space behind it. That also keeps out most code that prints
 * or parses such comments.
 */
static bool match_comment(const char *source, const char *key, const char *url, const char *end,
			  size_t *ret_len)
{
	const char *at = key, *stop = url;

	while (at > source && is_space(at[-1]))
		at--;
	if (at == key || at - source < 3 || (at[-1] != '#' && at[-1] != '@') ||
	    memcmp(at - 3, "//", 2) != 0)
		return false;
	while (stop < end && *stop != '\n' && !is_space(*stop)) {
		if (*stop == '"' || *stop == '\'')
			return false;
		stop++;
	}
	*ret_len = (size_t)(stop - url);
	while (stop < end && is_space(*stop))
		stop++;
	return *ret_len && (stop == end || *stop == '\n');
}

bool nd_sourcemap_find_url(const char *source, size_t len, const char **ret_url, size_t *ret_len)
{
	static const char key[] = "sourceMappingURL=";
	const char *at = source, *end = source + len, *url;
	bool found = false;
	size_t url_len;

	while ((at = memmem(at, (size_t)(end - at), key, sizeof(key) - 1))) {
		url = at + sizeof(key) - 1;
		while (url < end && is_space(*url))
			url++;
		if (match_comment(source, at, url, end, &url_len)) {
			*ret_url = url;
			*ret_len = url_len;
			found = true;
		}
		at += sizeof(key) - 1;
	}
	return found;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/*
 * Take one byte of a percent-encoded text. Broken escapes stand for themselves, and so does "%00":
 * no path has it.
 */
static char next_byte(const char **at, const char *end)
{
	const char *p = (*at)++;
	int value;

	if (*p != '%' || end - p < 3 || hex_value(p[1]) < 0 || hex_value(p[2]) < 0)
		return *p;
	value = hex_value(p[1]) * 16 + hex_value(p[2]);
	if (!value)
		return *p;
	*at = p + 3;
	return (char)value;
}

/* Base64 in a URL may have its own characters escaped, "%3D". */
static int decode_base64(const char *at, const char *end, struct nd_buf *out)
{
	char *to = nd_buf_reserve(out, (size_t)(end - at) / 4 * 3 + 3);
	unsigned int bits = 0, held = 0;
	size_t count = 0;
	int value;
	char c;

	if (!to)
		return nd_buf_error(out);
	while (at < end) {
		c = next_byte(&at, end);
		if (c == '=')
			break;
		value = nd_base64_value(c);
		if (value < 0) {
			to[0] = '\0';
			return -EBADMSG;
		}
		bits = bits << 6 | (unsigned int)value;
		held += 6;
		if (held >= 8) {
			held -= 8;
			to[count++] = (char)(bits >> held);
		}
	}
	to[count] = '\0';
	out->len += count;
	return 0;
}

static int decode_percent(const char *at, const char *end, struct nd_buf *out)
{
	char *to = nd_buf_reserve(out, (size_t)(end - at));

	if (!to)
		return nd_buf_error(out);
	while (at < end)
		*to++ = next_byte(&at, end);
	*to = '\0';
	out->len = (size_t)(to - out->data);
	return 0;
}

int nd_sourcemap_decode_data_url(const char *url, size_t len, struct nd_buf *out)
{
	static const char scheme[] = "data:", base64[] = ";base64";
	const size_t base64_len = sizeof(base64) - 1;
	const char *end = url + len, *comma;

	if (len < sizeof(scheme) - 1 || strncasecmp(url, scheme, sizeof(scheme) - 1) != 0)
		return -EINVAL;
	comma = memchr(url, ',', len);
	if (!comma)
		return -EBADMSG;
	if ((size_t)(comma - url) >= sizeof(scheme) - 1 + base64_len &&
	    !strncasecmp(comma - base64_len, base64, base64_len))
		return decode_base64(comma + 1, end, out);
	return decode_percent(comma + 1, end, out);
}

/* The length of "scheme:", or 0. One letter is no scheme but a drive. */
static size_t scheme_len(const char *url)
{
	size_t len = 0;

	while (isalnum((unsigned char)url[len]) || (len && strchr("+-.", url[len]) && url[len]))
		len++;
	return len > 1 && isalpha((unsigned char)url[0]) && url[len] == ':' ? len + 1 : 0;
}

static bool has_scheme(const char *url, const char *scheme)
{
	return !strncasecmp(url, scheme, strlen(scheme));
}

/* What follows the authority of "scheme://authority/path"; its slash is kept. */
static const char *skip_authority(const char *url)
{
	const char *slash = strchr(url + scheme_len(url) + 2, '/');

	return slash ? slash : "";
}

/* Append a path without its query, escapes resolved. */
static void add_path(struct nd_buf *path, const char *url)
{
	const char *query = strchr(url, '?');

	decode_percent(url, query ? query : url + strlen(url), path);
}

/* "webpack://namespace/./src/x.ts", where a namespace is a package's name: "@scope/package". */
static void add_webpack_path(struct nd_buf *path, const char *url)
{
	bool is_scoped = url[scheme_len(url) + 2] == '@';
	const char *resource = skip_authority(url);

	if (is_scoped && *resource)
		resource += 1 + strcspn(resource + 1, "/");
	add_path(path, *resource ? resource + 1 : resource);
}

/* Append the folder of a file, with its slash. */
static void add_folder(struct nd_buf *path, const char *file)
{
	const char *slash = strrchr(file, '/');

	if (slash)
		nd_buf_add(path, file, (size_t)(slash + 1 - file));
}

/* Append a relative URL to the folder of the file that named it, in an empty buffer. */
static void add_relative(struct nd_buf *path, const char *base, const char *url)
{
	const char *slash;

	if (has_scheme(base, "file://"))
		add_path(path, skip_authority(base));
	else
		nd_buf_add_str(path, base);
	slash = memrchr(path->data, '/', path->len);
	path->len = slash ? (size_t)(slash + 1 - path->data) : 0;
	add_path(path, url);
}

/* Drop the last part of what was appended since `start`; false where ".." has to be kept. */
static bool drop_part(struct nd_buf *out, size_t start, bool is_rooted)
{
	const char *begin = out->data + start;
	const char *slash = memrchr(begin, '/', out->len - start);
	const char *part = slash ? slash + 1 : begin;

	if (out->len == start)
		return is_rooted;
	if (!strcmp(part, ".."))
		return false;
	out->len = (size_t)(slash ? slash - out->data : begin - out->data);
	out->data[out->len] = '\0';
	return true;
}

/* Append `path` without empty parts, "." and "..", but for the ".." a relative path begins with. */
static void add_normalised(struct nd_buf *out, const char *path)
{
	bool is_rooted = *path == '/';
	size_t len, start;

	if (is_rooted)
		nd_buf_add_char(out, '/');
	start = out->len;
	for (; *path; path += len) {
		path += strspn(path, "/");
		len = strcspn(path, "/");
		if (!len || (len == 1 && path[0] == '.') ||
		    (len == 2 && !memcmp(path, "..", 2) && drop_part(out, start, is_rooted)))
			continue;
		if (out->len > start)
			nd_buf_add_char(out, '/');
		nd_buf_add(out, path, len);
	}
}

int nd_sourcemap_resolve(const char *base_path, const char *url, struct nd_buf *out)
{
	struct nd_buf path;
	int r;

	nd_buf_init(&path, strlen(base_path) + strlen(url));
	if (has_scheme(url, "webpack://") || has_scheme(url, "webpack-internal://")) {
		add_webpack_path(&path, url);
	} else if (has_scheme(url, "file://")) {
		add_path(&path, skip_authority(url));
	} else if (scheme_len(url)) {
		return nd_buf_add_str(out, url);
	} else if (*url == '/') {
		add_path(&path, url);
	} else if (scheme_len(base_path) && !has_scheme(base_path, "file://")) {
		add_folder(out, base_path);
		return nd_buf_add_str(out, url);
	} else {
		add_relative(&path, base_path, url);
	}
	r = nd_buf_error(&path);
	if (!r) {
		add_normalised(out, path.data);
		r = nd_buf_error(out);
	}
	nd_buf_fini(&path);
	return r;
}
