/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Restarts, health, logs, order; and how it is asked to end. */
#include "instances/config_builder.h"

#include <signal.h>
#include <string.h>

#include "spec/names.h"

enum {
	SIGNAL_SYSTEMD = 34 + 3, /* SIGRTMIN+3: systemd halts, instead of going into its rescue mode */
	STOP_SECONDS = 10,
	STOP_SECONDS_SYSTEMD = 90, /* what systemd itself gives each of its services */
};

static int build_restart(struct config_builder *b)
{
	const char *text = b->o->restart, *colon = text ? strchr(text, ':') : NULL;
	uint64_t max = 0, ignored;

	if (!text) {
		if (b->o->restart_delay)
			return error_refuse(b->e, ERROR_USAGE, "--restart-delay: needs --restart");
		return 0;
	}
	b->holm.restart.policy = colon ? arena_format(b->arena, "%.*s", (int)(colon - text), text) : text;
	if (names_find(&names_restart_policies, b->holm.restart.policy, &ignored) ||
	    (colon && (parse_u64(colon + 1, 1, UINT32_MAX, &max) || str_equal(b->holm.restart.policy, "no"))))
		return error_refuse(
		    b->e, ERROR_USAGE,
		    "--restart '%s': it takes no, on-failure, always or unless-stopped, the last three with "
		    "or without :MAX",
		    text);
	if (b->o->remove && !str_equal(b->holm.restart.policy, "no"))
		return error_refuse(b->e, ERROR_USAGE,
				    "--rm and --restart: what is removed at its end can't be restarted");
	b->holm.restart.max = (uint32_t)max;
	b->holm.restart.delay = b->o->restart_delay;
	return 0;
}

static int build_stop(struct config_builder *b)
{
	const struct image_config *image = b->base->image;
	const char *text = b->o->stop_signal ? b->o->stop_signal : image ? image->stop_signal : NULL;
	int number = b->systemd ? SIGNAL_SYSTEMD : 0;

	if (text && (signal_parse(text, &number) || !number)) {
		const char *close = signal_closest(text);

		return error_refuse(b->e, ERROR_USAGE, "%s '%s': no such signal%s%s%s",
				    b->o->stop_signal ? "--stop-signal" : "the image's stop signal", text,
				    close ? "; did you mean '" : "", close ?: "", close ? "'?" : "");
	}
	b->holm.stop.signal = number;
	b->holm.stop.timeout = b->o->stop_timeout;
	return 0;
}

static int build_health(struct config_builder *b)
{
	static const char *const actions[] = {"none", "restart", "stop", "kill"};
	const struct config_options *o = b->o;
	bool known = !o->health_action;

	if (!o->health_command) {
		if (o->health_action || o->health_interval || o->health_timeout || o->health_start_period ||
		    o->health_retries)
			return error_refuse(b->e, ERROR_USAGE, "--health-...: needs --health-cmd");
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		known |= o->health_action && str_equal(o->health_action, actions[i]);
	if (!known)
		return error_refuse(b->e, ERROR_USAGE, "--health-action '%s': it takes none, restart, stop or kill",
				    o->health_action);
	CONFIG_ADD(b, b->holm.health.command, b->holm.health.n_command) = "/bin/sh";
	CONFIG_ADD(b, b->holm.health.command, b->holm.health.n_command) = "-c";
	CONFIG_ADD(b, b->holm.health.command, b->holm.health.n_command) = o->health_command;
	b->holm.health.interval = o->health_interval;
	b->holm.health.timeout = o->health_timeout;
	b->holm.health.start_period = o->health_start_period;
	b->holm.health.retries = o->health_retries;
	b->holm.health.action = o->health_action;
	return 0;
}

int config_build_upkeep(struct config_builder *b)
{
	const struct config_options *o = b->o;
	int r = build_restart(b);

	if (!r)
		r = build_stop(b);
	if (!r)
		r = build_health(b);
	if (r)
		return r;
	if (o->log_size.present && o->log_size.value < 4096)
		return error_refuse(b->e, ERROR_USAGE, "--log-size: it takes at least 4k");
	b->holm.log.size = o->log_size.present ? o->log_size.value : 0;
	b->holm.log.files = o->log_files;
	b->holm.init = o->init;
	b->holm.input = o->interactive;
	b->holm.notify = o->notify;
	for (size_t i = 0; i < o->n_after; i++)
		if (o->name && str_equal(o->after[i], o->name))
			return error_refuse(b->e, ERROR_USAGE, "--after '%s': that is itself", o->name);
	for (size_t i = 0; i < o->n_after; i++)
		CONFIG_ADD(b, b->holm.after, b->holm.n_after) = o->after[i];
	return 0;
}

bool config_is_systemd(const char *program)
{
	const char *slash = strrchr(program, '/');

	return str_equal(slash ? slash + 1 : program, "systemd") || str_equal(program, "/sbin/init") ||
	       str_equal(program, "/usr/sbin/init");
}

static bool runs_systemd(const struct spec *spec)
{
	return spec->process && spec->process->n_args && config_is_systemd(spec->process->args[0]);
}

int config_stop_signal(const struct spec *spec)
{
	if (spec->holm && spec->holm->stop.signal)
		return spec->holm->stop.signal;
	return runs_systemd(spec) ? SIGNAL_SYSTEMD : SIGTERM;
}

int64_t config_stop_timeout(const struct spec *spec)
{
	if (spec->holm && spec->holm->stop.timeout)
		return spec->holm->stop.timeout;
	return (int64_t)(runs_systemd(spec) ? STOP_SECONDS_SYSTEMD : STOP_SECONDS) * 1000000000;
}
