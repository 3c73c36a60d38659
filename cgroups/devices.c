/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cgroups/devices.h"

#include <inttypes.h>

#include "base/str.h"

#define RWM (SPEC_DEVICE_MKNOD | SPEC_DEVICE_READ | SPEC_DEVICE_WRITE)

static const struct spec_device_rule own_rules[] = {
    {true, 'c', -1, -1, SPEC_DEVICE_MKNOD}, /* a node can be made; opening it is what counts */
    {true, 'b', -1, -1, SPEC_DEVICE_MKNOD},
    {true, 'c', 1, 3, RWM},    /* null */
    {true, 'c', 1, 5, RWM},    /* zero */
    {true, 'c', 1, 7, RWM},    /* full */
    {true, 'c', 1, 8, RWM},    /* random */
    {true, 'c', 1, 9, RWM},    /* urandom */
    {true, 'c', 5, 0, RWM},    /* tty */
    {true, 'c', 5, 1, RWM},    /* console */
    {true, 'c', 5, 2, RWM},    /* ptmx */
    {true, 'c', 136, -1, RWM}, /* pts/N */
    {true, 'c', 10, 200, RWM}, /* net/tun */
};

bool device_rule_is_own(const struct spec_device_rule *rule)
{
	for (size_t i = 0; i < ARRAY_SIZE(own_rules); i++) {
		const struct spec_device_rule *own = &own_rules[i];

		if (own->type == rule->type && own->major == rule->major && own->minor == rule->minor &&
		    !(rule->access & ~own->access))
			return true;
	}
	return false;
}

static bool is_for_all(const struct spec_device_rule *r)
{
	return r->major < 0 && r->minor < 0 && r->access == RWM;
}

int device_rules_compile(const struct spec_resources *resources, struct arena *arena, struct device_rules *ret,
			 struct error *e)
{
	size_t n = resources ? resources->n_devices : 0, out = 0;
	unsigned all = 0; /* kinds of device that are wholly allowed: 1 'b', 2 'c' */
	struct spec_device_rule *rules = arena_array(arena, struct spec_device_rule, 2 * n + ARRAY_SIZE(own_rules));

	for (size_t i = 0; i < n; i++) {
		struct spec_device_rule rule = resources->devices[i];
		bool both = !rule.type || rule.type == 'a';

		if (!both && rule.type != 'b' && rule.type != 'c')
			return error_refuse(e, ERROR_INVALID,
					    "linux.resources.devices[%zu].type: '%c' is none of a, b, c", i, rule.type);
		if (!rule.access || rule.access & ~RWM)
			return error_refuse(e, ERROR_INVALID,
					    "linux.resources.devices[%zu].access: needs some of r, w, m", i);
		if (rule.major < -1 || rule.major > UINT32_MAX || rule.minor < -1 || rule.minor > UINT32_MAX)
			return error_refuse(e, ERROR_INVALID,
					    "linux.resources.devices[%zu]: %" PRId64 ":%" PRId64 " is no device number",
					    i, rule.major, rule.minor);
		if (both && is_for_all(&rule)) {
			out = 0; /* whatever came before is decided anew */
			all = 0;
		}
		for (const char *type = both ? "bc" : (char[]){rule.type, 0}; *type; type++) {
			unsigned kind = *type == 'b' ? 1 : 2;

			rule.type = *type;
			if (!rule.allow)
				all &= ~kind;
			else if (is_for_all(&rule))
				all |= kind;
			rules[out++] = rule;
		}
	}
	for (size_t i = 0; all != 3 && i < ARRAY_SIZE(own_rules); i++)
		rules[out++] = own_rules[i];
	*ret = (struct device_rules){.rules = rules, .n = out, .allows_all = all == 3};
	return 0;
}
