/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux.seccomp */
#include <errno.h>
#include <inttypes.h>
#include <linux/seccomp.h>
#include <string.h>

#include "spec/spec.h"
#include "spec/validate.h"

enum { ERRNO_MAX = 4095 }; /* the kernel cuts SECCOMP_RET_ERRNO's data to it */

/* An errno belongs to ERRNO (and, as the tracer's message, to TRACE). */
static int check_errno(struct walker *w, const struct step *step, uint32_t action, uint32_t value)
{
	if (action != SECCOMP_RET_ERRNO && action != SECCOMP_RET_TRACE)
		return walk_refuse(w, step, "is for SCMP_ACT_ERRNO and SCMP_ACT_TRACE only, not for %s",
				   names_peek(&names_seccomp_actions, action));
	if (action == SECCOMP_RET_ERRNO && value > ERRNO_MAX)
		return walk_refuse(w, step, "must be 0 to %d, not %" PRIu32, ERRNO_MAX, value);
	return 0;
}

/*
 * sendmsg(2) and recvmsg(2) hand the listener's descriptor over: they would wait for themselves.  write(2) is refused by runc
 * for that reason, and profiles that run here should run there.
 */
static int check_notify(struct walker *w, const struct step *step, const struct spec_seccomp_rule *rule)
{
	static const char *const ours[] = {"write", "sendmsg", "recvmsg"};

	for (size_t i = 0; i < rule->n_names; i++)
		for (size_t k = 0; k < ARRAY_SIZE(ours); k++)
			if (!strcmp(rule->names[i], ours[k]))
				return walk_refuse(w, STEP_INDEX(STEP_KEY(step, "names"), i),
						   "SCMP_ACT_NOTIFY can't be used for '%s'", ours[k]);
	return 0;
}

int check_seccomp_rule(struct walker *w, const struct step *step, void *base)
{
	const struct spec_seccomp_rule *rule = base;
	int r = 0;

	if (rule->has_errno)
		r = check_errno(w, STEP_KEY(step, "errnoRet"), rule->action, rule->errno_ret);
	if (!r && rule->action == SECCOMP_RET_USER_NOTIF)
		r = check_notify(w, step, rule);
	return r;
}

int check_seccomp(struct walker *w, const struct step *step, void *base)
{
	const struct spec_seccomp *seccomp = base;
	bool notifies = false;

	for (size_t i = 0; i < seccomp->n_rules; i++)
		notifies |= seccomp->rules[i].action == SECCOMP_RET_USER_NOTIF;
	if (seccomp->default_action == SECCOMP_RET_USER_NOTIF)
		return walk_refuse(w, STEP_KEY(step, "defaultAction"), "SCMP_ACT_NOTIFY can't be the default action");
	if (seccomp->listener_metadata && !seccomp->listener_path)
		return walk_refuse(w, STEP_KEY(step, "listenerMetadata"), "needs listenerPath");
	if (notifies && !seccomp->listener_path)
		return walk_refuse(w, STEP_KEY(step, "listenerPath"), "is missing: SCMP_ACT_NOTIFY needs it");
	if (seccomp->has_default_errno)
		return check_errno(w, STEP_KEY(step, "defaultErrnoRet"), seccomp->default_action,
				   seccomp->default_errno);
	return 0;
}
