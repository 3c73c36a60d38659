/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/caps.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "spec/names.h"

static const char *const set_names[_SPEC_CAP_SET_N] = {
    [SPEC_CAP_BOUNDING] = "bounding",	    [SPEC_CAP_EFFECTIVE] = "effective", [SPEC_CAP_PERMITTED] = "permitted",
    [SPEC_CAP_INHERITABLE] = "inheritable", [SPEC_CAP_AMBIENT] = "ambient",
};

static uint64_t read_names(const struct spec_capabilities *capabilities, enum spec_capability_set set)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < capabilities->sets[set].n; i++) {
		uint64_t n;

		if (names_find(&names_capabilities, capabilities->sets[set].names[i], &n))
			log_warning("process.capabilities.%s[%zu]: unknown capability '%s' is left out", set_names[set],
				    i, capabilities->sets[set].names[i]);
		else
			mask |= UINT64_C(1) << n;
	}
	return mask;
}

static int read_permitted(uint64_t *ret, struct error *e)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	if (syscall(SYS_capget, &header, data) < 0)
		return error_system(e, errno, "capget");
	*ret = data[0].permitted | (uint64_t)data[1].permitted << 32;
	return 0;
}

/* Those of mask that the bounding set has; it can only be asked one by one. */
static uint64_t keep_bounding(uint64_t mask)
{
	uint64_t kept = 0;

	for (unsigned i = 0; i < names_capabilities.n; i++)
		if (mask & UINT64_C(1) << i && prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1)
			kept |= UINT64_C(1) << i;
	return kept;
}

/* Leaves out of *set what is not in allowed; what *warned has was told before. */
static void limit(uint64_t *set, uint64_t allowed, enum spec_capability_set which, const char *why, uint64_t *warned)
{
	uint64_t lost = *set & ~allowed, untold = lost & ~*warned;

	for (unsigned i = 0; i < names_capabilities.n; i++)
		if (untold & UINT64_C(1) << i)
			log_warning("process.capabilities.%s: %s %s", set_names[which],
				    names_peek(&names_capabilities, i), why);
	*set &= allowed;
	*warned |= lost;
}

int caps_resolve(const struct spec_capabilities *capabilities, bool all_grantable, struct caps_sets *ret,
		 struct error *e)
{
	static const char not_here[] = "can't be granted here and is left out";
	uint64_t permitted = 0, warned = 0, set[_SPEC_CAP_SET_N];
	int r;

	if (!capabilities) {
		*ret = (struct caps_sets){0};
		return 0;
	}
	for (int i = 0; i < _SPEC_CAP_SET_N; i++)
		set[i] = read_names(capabilities, i);
	if (!all_grantable) {
		r = read_permitted(&permitted, e);
		if (r)
			return r;
		/*
		 * capset(2) takes nothing into permitted that was not there, and nothing into inheritable that is not
		 * in the bounding set; a member of the bounding set that we don't hold ourselves may still stay in it.
		 */
		limit(&set[SPEC_CAP_BOUNDING], permitted | keep_bounding(set[SPEC_CAP_BOUNDING] & ~permitted),
		      SPEC_CAP_BOUNDING, not_here, &warned);
		limit(&set[SPEC_CAP_PERMITTED], permitted, SPEC_CAP_PERMITTED, not_here, &warned);
		limit(&set[SPEC_CAP_EFFECTIVE], permitted, SPEC_CAP_EFFECTIVE, not_here, &warned);
		limit(&set[SPEC_CAP_INHERITABLE], keep_bounding(set[SPEC_CAP_INHERITABLE]), SPEC_CAP_INHERITABLE,
		      not_here, &warned);
	}
	limit(&set[SPEC_CAP_EFFECTIVE], set[SPEC_CAP_PERMITTED], SPEC_CAP_EFFECTIVE,
	      "is not in permitted and is left out", &warned);
	/*
	 * Buildah asks for every capability in ambient and for none in inheritable, at each RUN: nothing that this host
	 * refuses, but a document that contradicts itself.  Its users would read a warning about each.
	 */
	if (set[SPEC_CAP_AMBIENT] & ~(set[SPEC_CAP_PERMITTED] & set[SPEC_CAP_INHERITABLE]))
		log_debug("process.capabilities.ambient: what is not in both permitted and inheritable is left out");
	set[SPEC_CAP_AMBIENT] &= set[SPEC_CAP_PERMITTED] & set[SPEC_CAP_INHERITABLE];
	*ret = (struct caps_sets){
	    .bounding = set[SPEC_CAP_BOUNDING],
	    .effective = set[SPEC_CAP_EFFECTIVE],
	    .permitted = set[SPEC_CAP_PERMITTED],
	    .inheritable = set[SPEC_CAP_INHERITABLE],
	    .ambient = set[SPEC_CAP_AMBIENT],
	};
	return 0;
}
