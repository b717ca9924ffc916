/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/modules.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/heap/analysis.h"
#include "analyzer/heap/heap.h"
#include "analyzer/heap/path.h"
#include "common/array.h"
#include "common/intern.h"
#include "common/pages.h"

#define FOLDER "node_modules"
#define URL    "file://"

/* Modules are numbered as their names are, so that nobody is 0 and has the empty one. */
struct charging {
	const struct nd_heap_paths *paths;
	struct nd_heap_modules m;
	uint32_t *module_of; /* each node; ND_HEAP_NONE while it is not known */

	/* Of the last function, for they come in rows of one script. */
	const char *last_path;
	uint32_t last_module;
};

static bool is_separator(char c)
{
	return c == '/' || c == '\\';
}

/* The package's name behind the last "node_modules/" of a path; of "@a/b" both parts. */
static const char *find_package(const char *path, size_t *ret_len)
{
	const char *at, *found = NULL, *end;

	for (at = strstr(path, FOLDER); at; at = strstr(at + 1, FOLDER))
		if (at > path && is_separator(at[-1]) && is_separator(at[sizeof(FOLDER) - 1]))
			found = at + sizeof(FOLDER);
	if (!found)
		return NULL;
	for (end = found; *end && !is_separator(*end);)
		end++;
	for (end += *found == '@' && *end; *found == '@' && *end && !is_separator(*end);)
		end++;
	*ret_len = (size_t)(end - found);
	return *ret_len ? found : NULL;
}

static const char *find_name(const char *path, size_t *ret_len, enum nd_heap_module_kind *ret_kind)
{
	const char *package = find_package(path, ret_len);

	if (package) {
		*ret_kind = ND_HEAP_MODULE_PACKAGE;
		return package;
	}
	if (!strncmp(path, "node:", 5)) {
		*ret_kind = ND_HEAP_MODULE_NODE;
		*ret_len = 4;
		return path;
	}
	if (!strncmp(path, URL, sizeof(URL) - 1))
		path += sizeof(URL) - 1;
	*ret_kind = ND_HEAP_MODULE_FILE;
	*ret_len = strlen(path);
	return path;
}

static int add_module(struct nd_heap_modules *m, const char *path, uint32_t *ret_module)
{
	enum nd_heap_module_kind kind = ND_HEAP_MODULE_NONE;
	size_t len = 0;
	const char *name = *path ? find_name(path, &len, &kind) : path;
	struct nd_heap_module *list;
	uint32_t id;

	if (nd_intern_add(m->names, name, len, &id))
		return -ENOMEM;
	if (id >= m->count) {
		list = nd_array_grow(m->module, m->count, sizeof(*list));
		if (!list)
			return -ENOMEM;
		m->module = list;
		m->module[m->count++] = (struct nd_heap_module){.name = id, .kind = kind};
	}
	*ret_module = id;
	return 0;
}

static int charge_script(struct charging *c, uint32_t node, const char *path)
{
	if (!path || !*path)
		return 0;
	if (path != c->last_path && add_module(&c->m, path, &c->last_module))
		return -ENOMEM;
	c->last_path = path;
	c->module_of[node] = c->last_module;
	return 0;
}

static int charge_located(struct charging *c, uint32_t node,
			  const struct nd_heap_location *location)
{
	return location ? charge_script(c, node, nd_heap_script_name(c->paths, location->script))
			: 0;
}

/* Shared parts of functions know their script; the script's node has its name. */
static int charge_code(struct charging *c)
{
	const struct nd_heap *heap = c->paths->heap;
	const struct nd_heap_edge_names names = nd_heap_find_edge_names(heap);
	uint32_t node, script;
	int ret = 0;

	for (node = 0; node < heap->node_count && !ret; node++) {
		if (heap->type[node] != ND_HEAP_CODE)
			continue;
		script = nd_heap_find_script(heap, node, &names);
		if (script == ND_HEAP_NONE)
			continue;
		ret = charge_script(c, node, nd_heap_name(heap, script));
		c->module_of[script] = c->module_of[node];
	}
	return ret;
}

static int charge_functions(struct charging *c)
{
	const struct nd_heap_scopes *scopes = &c->paths->analysis->scopes;
	const struct nd_heap *heap = c->paths->heap;
	uint32_t i;
	int ret = charge_code(c);

	for (i = 0; i < heap->location_count && !ret; i++)
		if (heap->type[heap->location[i].node] == ND_HEAP_CLOSURE)
			ret = charge_located(c, heap->location[i].node, &heap->location[i]);
	for (i = 0; i < scopes->scope_count && !ret; i++)
		ret = charge_located(c, scopes->scope[i],
				     nd_heap_find_location(heap, scopes->function[i]));
	return ret;
}

/* Who has no module has that of the nearest dominator that has one, and so have those between. */
static void charge_rest(struct charging *c)
{
	const uint32_t *dominator = c->paths->analysis->dominator;
	uint32_t count = c->paths->heap->node_count, node, at, module;

	c->module_of[c->paths->heap->root] = 0;
	for (node = 0; node < count; node++) {
		for (at = node; c->module_of[at] == ND_HEAP_NONE;)
			at = dominator[at];
		module = c->module_of[at];
		for (at = node; c->module_of[at] == ND_HEAP_NONE; at = dominator[at])
			c->module_of[at] = module;
	}
}

static void count(struct charging *c)
{
	const struct nd_heap *heap = c->paths->heap;
	struct nd_heap_module *module;
	uint32_t node;

	for (node = 0; node < heap->node_count; node++) {
		if (!heap->self_size[node])
			continue;
		module = &c->m.module[c->module_of[node]];
		module->count++;
		module->bytes += heap->self_size[node];
	}
}

static int compare(const void *a, const void *b)
{
	const struct nd_heap_module *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return x->name < y->name ? -1 : x->name > y->name;
}

int nd_heap_find_modules(const struct nd_heap_paths *paths, struct nd_heap_modules *ret)
{
	size_t size = paths->heap->node_count * sizeof(uint32_t);
	struct charging c = {.paths = paths, .m.names = nd_intern_new(), .module_of = malloc(size)};
	uint32_t nobody;
	int code = c.m.names && c.module_of ? 0 : -ENOMEM;

	if (!code) {
		nd_pages_populate(c.module_of, size);
		memset(c.module_of, 0xff, size);
		code = add_module(&c.m, "", &nobody);
	}
	if (!code)
		code = charge_functions(&c);
	if (!code) {
		charge_rest(&c);
		count(&c);
		qsort(c.m.module, c.m.count, sizeof(*c.m.module), compare);
		*ret = c.m;
	} else {
		nd_heap_modules_fini(&c.m);
	}
	free(c.module_of);
	return code;
}

void nd_heap_modules_fini(struct nd_heap_modules *modules)
{
	nd_intern_free(modules->names);
	free(modules->module);
	*modules = (struct nd_heap_modules){0};
}

const char *nd_heap_module_kind_name(enum nd_heap_module_kind kind)
{
	switch (kind) {
	case ND_HEAP_MODULE_NODE:
		return "node";
	case ND_HEAP_MODULE_PACKAGE:
		return "package";
	case ND_HEAP_MODULE_FILE:
		return "file";
	default:
		return NULL;
	}
}
