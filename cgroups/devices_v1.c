/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cgroups/devices.h"

#include <string.h>

#include "base/str.h"

#define RWM (SPEC_DEVICE_MKNOD | SPEC_DEVICE_READ | SPEC_DEVICE_WRITE)

/* Every device wide has, narrow has too? */
static bool covers(const struct spec_device_rule *wide, const struct spec_device_rule *narrow)
{
	return wide->type == narrow->type && (wide->major < 0 || wide->major == narrow->major) &&
	       (wide->minor < 0 || wide->minor == narrow->minor);
}

static bool overlap(const struct spec_device_rule *a, const struct spec_device_rule *b)
{
	return a->type == b->type && (a->major < 0 || b->major < 0 || a->major == b->major) &&
	       (a->minor < 0 || b->minor < 0 || a->minor == b->minor) && (a->access & b->access);
}

static const char *format_rule(struct arena *arena, const struct spec_device_rule *r)
{
	char major[DECIMAL_SIZE], minor[DECIMAL_SIZE];

	return arena_join(
	    arena, r->type == 'b' ? "b " : "c ", r->major < 0 ? "*" : str_decimal((uint64_t)r->major, major), ":",
	    r->minor < 0 ? "*" : str_decimal((uint64_t)r->minor, minor), " ", r->access & SPEC_DEVICE_READ ? "r" : "",
	    r->access & SPEC_DEVICE_WRITE ? "w" : "", r->access & SPEC_DEVICE_MKNOD ? "m" : "", NULL);
}

/* The exceptions from the default, so far. */
struct exceptions {
	struct spec_device_rule *items;
	size_t n;
};

/* One more device that is treated the other way. */
static void add_exception(struct exceptions *x, struct spec_device_rule rule)
{
	for (size_t i = 0; i < x->n; i++) {
		struct spec_device_rule *old = &x->items[i];

		if (covers(old, &rule))
			rule.access &= ~old->access;
	}
	if (!rule.access)
		return;
	for (size_t i = 0; i < x->n; i++) {
		struct spec_device_rule *old = &x->items[i];

		if (covers(&rule, old) && covers(old, &rule)) { /* the same devices: one line for both */
			rule.access |= old->access;
			old->access = 0;
		} else if (covers(&rule, old)) {
			old->access &= ~rule.access;
		}
	}
	x->items[x->n++] = rule;
}

/* A device goes back to the default: every exception for it must be inside of the rule. */
static int remove_exceptions(struct exceptions *x, const struct spec_device_rule *rule, struct arena *arena,
			     struct error *e)
{
	for (size_t i = 0; i < x->n; i++) {
		struct spec_device_rule *old = &x->items[i];

		if (!overlap(old, rule))
			continue;
		if (!covers(rule, old))
			return error_refuse(
			    e, ERROR_UNSUPPORTED,
			    "linux.resources.devices: controller 'devices' (cgroup v1) can't take '%s' out of '%s'",
			    format_rule(arena, rule), format_rule(arena, old));
		old->access &= ~rule->access;
	}
	return 0;
}

/* A rule for every device and every access of both kinds decides the default; they come in pairs (devices.c). */
static bool is_default(const struct device_rules *rules, size_t i)
{
	const struct spec_device_rule *b = &rules->rules[i], *c = b + 1;

	return i + 1 < rules->n && b->type == 'b' && c->type == 'c' && b->major < 0 && b->minor < 0 && c->major < 0 &&
	       c->minor < 0 && b->access == RWM && c->access == RWM && b->allow == c->allow;
}

int devices_v1_compile(const struct device_rules *rules, struct limits *l, struct error *e)
{
	struct exceptions x = {.items = arena_array(l->arena, struct spec_device_rule, rules->n + 1)};
	struct limit_write w = {
	    .controller = CGROUP_DEVICES_CONTROLLER,
	    .dialect = CGROUP_V1,
	    .cause = "linux.resources.devices",
	    .value = "a",
	};
	bool allow = false;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < rules->n; i++) {
		const struct spec_device_rule *rule = &rules->rules[i];

		if (is_default(rules, i)) {
			allow = rule->allow;
			x.n = 0;
			i++;
		} else if (rule->allow != allow) {
			add_exception(&x, *rule);
		} else {
			r = remove_exceptions(&x, rule, l->arena, e);
		}
	}
	if (r < 0)
		return r;
	w.file = allow ? "devices.allow" : "devices.deny";
	w.initial = allow; /* a new folder has what its parent has, and can't have more */
	limits_add(l, w);
	w.file = allow ? "devices.deny" : "devices.allow";
	w.initial = false;
	for (size_t i = 0; i < x.n; i++) {
		if (!x.items[i].access)
			continue;
		w.value = format_rule(l->arena, &x.items[i]);
		w.optional = x.items[i].allow && device_rule_is_own(&x.items[i]);
		limits_add(l, w);
	}
	return 0;
}
