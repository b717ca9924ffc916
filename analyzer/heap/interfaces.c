/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/interfaces.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/heap/classes.h"
#include "analyzer/heap/heap.h"
#include "common/buf.h"
#include "common/intern.h"

/* Of an interface's name, in UTF-16 units as JavaScript counts them. */
#define TEXT_MAX 120

/* An interface is for that many plain objects, and for one in so many. */
#define COUNT_MIN 2
#define SHARE	  1000

/* Append the name of a property as DevTools writes it: as JSON where it would be misread. */
static void add_property(struct nd_buf *out, const char *text)
{
	static const char plain[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
	const char *found;

	if (!strpbrk(text, ",'\"{}")) {
		nd_buf_add_str(out, text);
		return;
	}
	nd_buf_add_char(out, '"');
	for (; *text; text++) {
		found = strchr(plain, *text);
		if (found)
			nd_buf_addf(out, "\\%c", letters[found - plain]);
		else if ((unsigned char)*text < ' ')
			nd_buf_addf(out, "\\u%04x", (unsigned char)*text);
		else
			nd_buf_add_char(out, *text);
	}
	nd_buf_add_char(out, '"');
}

/* In UTF-16 units: one for each character, and two for those of four bytes. */
static uint32_t units_of(const struct nd_buf *text)
{
	uint32_t units = 0;
	size_t i;

	for (i = 0; i < text->len; i++)
		units += ((unsigned char)text->data[i] & 0xc0) != 0x80
				 ? 1 + ((unsigned char)text->data[i] >= 0xf0)
				 : 0;
	return units;
}

struct inference {
	struct nd_intern *names;
	uint32_t *units; /* by name, how long it is when written, + 1 */
	uint32_t proto;	 /* the name "__proto__" */
	uint32_t *list;
};

static int measure(struct inference *in, uint32_t name, uint32_t *ret_units)
{
	struct nd_buf text;

	if (!in->units[name]) {
		nd_buf_init(&text, SIZE_MAX / 2);
		add_property(&text, nd_intern_get(in->names, name));
		if (!nd_buf_error(&text))
			in->units[name] = units_of(&text) + 1;
		nd_buf_fini(&text);
	}
	if (!in->units[name])
		return -ENOMEM;
	*ret_units = in->units[name] - 1;
	return 0;
}

/* The start of a shape that fits into an interface's name. */
static int begin_of(struct inference *in, const uint32_t *names, uint32_t len, uint32_t *ret_len)
{
	uint32_t total = 1, count = 0, units, i;

	for (i = 0; i < len; i++) {
		if (names[i] == in->proto)
			continue;
		if (measure(in, names[i], &units))
			return -ENOMEM;
		if (total > 1 && total + units > TEXT_MAX)
			break;
		if (total > 1)
			total += 2;
		total += units;
		in->list[count++] = names[i];
	}
	*ret_len = count;
	return 0;
}

static int infer_lists(struct inference *in, const struct nd_heap_shapes *shapes,
		       struct nd_heap_shapes *lists, uint64_t *ret_objects)
{
	uint32_t i, len, id, longest = 0;

	for (i = 0; i < shapes->count; i++)
		if (shapes->shape[i].len > longest)
			longest = shapes->shape[i].len;
	in->list = malloc(((size_t)longest + 1) * sizeof(*in->list));
	if (!in->list)
		return -ENOMEM;
	*ret_objects = 0;
	for (i = 0; i < shapes->count; i++) {
		*ret_objects += shapes->shape[i].count;
		if (begin_of(in, shapes->pool + shapes->shape[i].start, shapes->shape[i].len, &len))
			return -ENOMEM;
		if (!len)
			continue;
		if (nd_heap_shapes_add(lists, in->list, len, &id))
			return -ENOMEM;
		lists->shape[id].count += shapes->shape[i].count - 1;
	}
	return 0;
}

/* The most popular first; of these the one that came first, whose names are first in the pool. */
static int compare(const void *a, const void *b)
{
	const struct nd_heap_interface *x = a, *y = b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return x->names < y->names ? -1 : x->names > y->names;
}

static int name_interface(struct nd_intern *names, struct nd_heap_interface *interface)
{
	struct nd_buf text;
	uint32_t i;

	nd_buf_init(&text, SIZE_MAX / 2);
	nd_buf_add_char(&text, '{');
	for (i = 0; i < interface->len; i++) {
		nd_buf_add_str(&text, i ? ", " : "");
		add_property(&text, nd_intern_get(names, interface->names[i]));
	}
	nd_buf_add_char(&text, '}');
	interface->text = nd_buf_error(&text) ? NULL : strdup(text.data);
	nd_buf_fini(&text);
	return interface->text ? 0 : -ENOMEM;
}

static int choose(struct nd_heap_interfaces *ret, uint64_t objects, struct nd_intern *names)
{
	const struct nd_heap_shapes *lists = &ret->lists;
	struct nd_heap_interface *chosen;
	uint32_t i, count = 0;

	chosen = calloc((size_t)lists->count + 1, sizeof(*chosen));
	ret->interface = chosen;
	if (!chosen)
		return -ENOMEM;
	for (i = 0; i < lists->count; i++) {
		if (lists->shape[i].count < COUNT_MIN ||
		    (uint64_t)lists->shape[i].count * SHARE < objects)
			continue;
		chosen[count] = (struct nd_heap_interface){
			.names = lists->pool + lists->shape[i].start,
			.len = lists->shape[i].len,
			.count = lists->shape[i].count,
		};
		count++;
	}
	qsort(chosen, count, sizeof(*chosen), compare);
	ret->count = count;
	for (i = 0; i < count; i++)
		if (name_interface(names, &chosen[i]))
			return -ENOMEM;
	return 0;
}

int nd_heap_infer_interfaces(const struct nd_heap_shapes *shapes, struct nd_intern *names,
			     struct nd_heap_interfaces *ret)
{
	struct inference in = {.names = names};
	uint64_t objects = 0;
	int code = -ENOMEM;

	*ret = (struct nd_heap_interfaces){0};
	if (!nd_intern_add(names, "__proto__", 9, &in.proto))
		in.units = calloc(nd_intern_count(names), sizeof(*in.units));
	if (in.units)
		code = infer_lists(&in, shapes, &ret->lists, &objects);
	if (!code)
		code = choose(ret, objects, names);
	free(in.units);
	free(in.list);
	if (code)
		nd_heap_interfaces_fini(ret);
	return code;
}

void nd_heap_interfaces_fini(struct nd_heap_interfaces *interfaces)
{
	uint32_t i;

	for (i = 0; i < interfaces->count; i++)
		free(interfaces->interface[i].text);
	free(interfaces->interface);
	nd_heap_shapes_fini(&interfaces->lists);
	*interfaces = (struct nd_heap_interfaces){0};
}

/*
 * Interfaces are looked for by one of their names each, the rarest, so that a shape is compared
 * with few of them. All numbers are + 1.
 */
struct matcher {
	const struct nd_heap_interfaces *interfaces;
	uint32_t *first; /* by name, an interface */
	uint32_t *next;	 /* by interface */
	uint32_t *stamp; /* by name, the last shape that has it */
};

static uint32_t find_rarest(const struct nd_heap_interface *interface, const uint32_t *used)
{
	uint32_t rarest = interface->names[0], i;

	for (i = 1; i < interface->len; i++)
		if (used[interface->names[i]] < used[rarest])
			rarest = interface->names[i];
	return rarest;
}

/* `stamp` counts how often names are used, and is then cleared. */
static void prepare(struct matcher *m, uint32_t names)
{
	const struct nd_heap_interface *interface = m->interfaces->interface;
	uint32_t i, k, name;

	for (i = 0; i < m->interfaces->count; i++)
		for (k = 0; k < interface[i].len; k++)
			m->stamp[interface[i].names[k]]++;
	for (i = 0; i < m->interfaces->count; i++) {
		name = find_rarest(&interface[i], m->stamp);
		m->next[i] = m->first[name];
		m->first[name] = i + 1;
	}
	memset(m->stamp, 0, names * sizeof(*m->stamp));
}

static bool has_all(const struct matcher *m, const struct nd_heap_interface *interface,
		    uint32_t stamp)
{
	uint32_t i;

	for (i = 0; i < interface->len; i++)
		if (m->stamp[interface->names[i]] != stamp)
			return false;
	return true;
}

/* The best interface of a shape, + 1; 0 when it has none. */
static uint32_t match(struct matcher *m, const uint32_t *names, uint32_t len, uint32_t stamp)
{
	const struct nd_heap_interface *interface = m->interfaces->interface;
	uint32_t best = 0, i, at;

	for (i = 0; i < len; i++)
		m->stamp[names[i]] = stamp;
	for (i = 0; i < len; i++)
		for (at = m->first[names[i]]; at; at = m->next[at - 1])
			if ((!best || interface[at - 1].len > interface[best - 1].len ||
			     (interface[at - 1].len == interface[best - 1].len && at < best)) &&
			    has_all(m, &interface[at - 1], stamp))
				best = at;
	return best;
}

static int class_shapes(struct matcher *m, const struct nd_heap_shapes *shapes,
			struct nd_heap_classes *classes, uint32_t *class_of_shape)
{
	const struct nd_heap_shape *shape = shapes->shape;
	uint32_t i, best;

	for (i = 0; i < shapes->count; i++) {
		best = match(m, shapes->pool + shape[i].start, shape[i].len, i + 1);
		if (nd_heap_classes_add(classes,
					best ? m->interfaces->interface[best - 1].text : "Object",
					&class_of_shape[i]))
			return -ENOMEM;
	}
	return 0;
}

int nd_heap_class_shapes(const struct nd_heap_shapes *shapes,
			 const struct nd_heap_interfaces *interfaces, struct nd_intern *names,
			 struct nd_heap_classes *classes, uint32_t **ret_class_of_shape)
{
	uint32_t count = nd_intern_count(names);
	struct matcher m = {
		.interfaces = interfaces,
		.first = calloc(count, sizeof(*m.first)),
		.next = calloc((size_t)interfaces->count + 1, sizeof(*m.next)),
		.stamp = calloc(count, sizeof(*m.stamp)),
	};
	uint32_t *class_of_shape = malloc(((size_t)shapes->count + 1) * sizeof(*class_of_shape));
	int ret = -ENOMEM;

	if (m.first && m.next && m.stamp && class_of_shape) {
		prepare(&m, count);
		ret = class_shapes(&m, shapes, classes, class_of_shape);
	}
	free(m.first);
	free(m.next);
	free(m.stamp);
	if (ret)
		free(class_of_shape);
	else
		*ret_class_of_shape = class_of_shape;
	return ret;
}
