/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The document itself, mounts, hooks, and the "holm" extension */
#include "spec/tables.h"

#include <inttypes.h>
#include <stdio.h>

#include "spec/spec.h"
#include "spec/validate.h"

/* ---- mounts ---- */

static const struct field object_mount_fields[] = {
    F_STRING("destination", spec_mount, destination, FIELD_REQUIRED),
    F_STRING("type", spec_mount, type, 0),
    F_STRING("source", spec_mount, source, 0),
    F_STRINGS("options", spec_mount, options, n_options, 0),
    F_LIST("uidMappings", spec_mount, uid_mappings, n_uid_mappings, object_id_map, 0),
    F_LIST("gidMappings", spec_mount, gid_mappings, n_gid_mappings, object_id_map, 0),
};
OBJECT(object_mount, "mount", spec_mount, .check = check_mount);

/* ---- hooks ---- */

static const struct field hook_fields[] = {
    F_STRING("path", spec_hook, path, FIELD_REQUIRED | FIELD_ABSOLUTE),
    F_STRINGS("args", spec_hook, args, n_args, 0),
    F_STRINGS("env", spec_hook, env, n_env, 0),
    F_NUMBER("timeout", spec_hook, timeout, 1, UINT32_MAX, 0),
};
static OBJECT(hook, "hook", spec_hook, .check = check_hook);

static const struct field object_hooks_fields[] = {
#define HOOKS(KEY, KIND) F_LIST(KEY, spec_hooks, kinds[KIND].hooks, kinds[KIND].n, hook, 0)
    HOOKS("prestart", SPEC_HOOK_PRESTART),
    HOOKS("createRuntime", SPEC_HOOK_CREATE_RUNTIME),
    HOOKS("createContainer", SPEC_HOOK_CREATE_CONTAINER),
    HOOKS("startContainer", SPEC_HOOK_START_CONTAINER),
    HOOKS("poststart", SPEC_HOOK_POSTSTART),
    HOOKS("poststop", SPEC_HOOK_POSTSTOP),
#undef HOOKS
};
OBJECT(object_hooks, "hooks", spec_hooks);

/* ---- "holm": sizes, durations and signals are words for people ---- */

static int decode_size(struct walker *w, const struct step *step, const json_t *node, const struct field *field,
		       void *base)
{
	int64_t *value = (int64_t *)((char *)base + field->offset);
	const char *text = NULL;
	int r;

	if (json_is_integer(node) && json_integer_value(node) >= 0) {
		*value = json_integer_value(node);
		return 0;
	}
	r = walk_string(w, step, node, &text);
	if (!r && parse_size(text, false, value))
		r = walk_refuse(w, step, "must be a size like '64k', '1.5G' or a number of bytes, not '%s'", text);
	return r;
}

static void encode_size(struct json_writer *out, const struct field *field, const void *base)
{
	int64_t value = *(const int64_t *)((const char *)base + field->offset);

	if (value)
		json_put_int(out, field->key, value);
}

static int decode_duration(struct walker *w, const struct step *step, const json_t *node, const struct field *field,
			   void *base)
{
	const char *text = NULL;
	int r = walk_string(w, step, node, &text);

	if (!r && parse_duration(text, (int64_t *)((char *)base + field->offset)))
		r = walk_refuse(w, step, "must be a duration like '500ms', '1.5s' or '2h', not '%s'", text);
	return r;
}

static void encode_duration(struct json_writer *out, const struct field *field, const void *base)
{
	int64_t value = *(const int64_t *)((const char *)base + field->offset);
	bool whole = value % 1000000000 == 0;
	char text[32];

	if (!value)
		return;
	snprintf(text, sizeof(text), "%" PRId64 "%s", whole ? value / 1000000000 : value, whole ? "s" : "ns");
	json_put_string(out, field->key, text);
}

static int decode_signal(struct walker *w, const struct step *step, const json_t *node, const struct field *field,
			 void *base)
{
	int *value = (int *)((char *)base + field->offset);
	const char *text = NULL;
	int r = walk_string(w, step, node, &text);

	if (!r && (signal_parse(text, value) || !*value))
		r = walk_refuse(w, step, "unknown signal '%s'", text);
	return r;
}

static void encode_signal(struct json_writer *out, const struct field *field, const void *base)
{
	int value = *(const int *)((const char *)base + field->offset);
	const char *name = names_peek(&names_signals, value);
	char text[16];

	if (!value)
		return;
	snprintf(text, sizeof(text), "%d", value);
	json_put_string(out, field->key, name ? name : text);
}

static const struct custom custom_size = {decode_size, encode_size};
static const struct custom custom_duration = {decode_duration, encode_duration};
static const struct custom custom_signal = {decode_signal, encode_signal};

static const struct field storage_fields[] = {
    F_CUSTOM("size", spec_holm, storage.size, custom_size, 0),
    F_NUMBER("inodes", spec_holm, storage.inodes, 0, UINT64_MAX, 0),
    F_BOOL("volatile", spec_holm, storage.is_volatile, 0),
};
static OBJECT(storage, "storage", spec_holm);

static const struct field rate_fields[] = {
    F_STRING("egress", spec_holm_network, rate_egress, 0),
    F_STRING("ingress", spec_holm_network, rate_ingress, 0),
};
static OBJECT(rate, "rate", spec_holm_network);

static const struct field holm_network_fields[] = {
    F_STRING("network", spec_holm_network, network, FIELD_REQUIRED),
    F_STRING("interface", spec_holm_network, interface, 0),
    F_STRING("address", spec_holm_network, address, 0),
    F_STRING("mac", spec_holm_network, mac, 0),
    F_STRING("gateway", spec_holm_network, gateway, 0),
    F_STRINGS("routes", spec_holm_network, routes, n_routes, 0),
    F_STRINGS("publish", spec_holm_network, publish, n_publish, 0),
    F_SAME("rate", rate, 0),
};
static OBJECT(holm_network, "network", spec_holm_network);

static const struct field restart_fields[] = {
    F_STRING("policy", spec_holm, restart.policy, 0),
    F_NUMBER("max", spec_holm, restart.max, 0, UINT32_MAX, 0),
    F_CUSTOM("delay", spec_holm, restart.delay, custom_duration, 0),
};
static OBJECT(restart, "restart", spec_holm);

static const struct field stop_fields[] = {
    F_CUSTOM("signal", spec_holm, stop.signal, custom_signal, 0),
    F_CUSTOM("timeout", spec_holm, stop.timeout, custom_duration, 0),
};
static OBJECT(stop, "stop", spec_holm);

static const struct field logging_fields[] = {
    F_CUSTOM("size", spec_holm, log.size, custom_size, 0),
    F_NUMBER("files", spec_holm, log.files, 0, UINT32_MAX, 0),
};
static OBJECT(logging, "log", spec_holm);

static const struct field health_fields[] = {
    F_STRINGS("command", spec_holm, health.command, health.n_command, 0),
    F_CUSTOM("interval", spec_holm, health.interval, custom_duration, 0),
    F_CUSTOM("timeout", spec_holm, health.timeout, custom_duration, 0),
    F_CUSTOM("startPeriod", spec_holm, health.start_period, custom_duration, 0),
    F_NUMBER("retries", spec_holm, health.retries, 0, UINT32_MAX, 0),
    F_STRING("action", spec_holm, health.action, 0),
};
static OBJECT(health, "health", spec_holm);

static const struct field object_holm_fields[] = {
    F_STRING("image", spec_holm, image, 0),
    F_SAME("storage", storage, 0),
    F_LIST("networks", spec_holm, networks, n_networks, holm_network, 0),
    F_SAME("restart", restart, 0),
    F_SAME("stop", stop, 0),
    F_SAME("log", logging, 0),
    F_SAME("health", health, 0),
    F_BOOL("init", spec_holm, init, 0),
    F_BOOL("input", spec_holm, input, 0),
    F_BOOL("notify", spec_holm, notify, 0),
    F_STRINGS("after", spec_holm, after, n_after, 0),
};
OBJECT(object_holm, "holm", spec_holm, .check = check_holm);

/* ---- the document ---- */

static const struct field root_fields[] = {
    F_STRING("path", spec, root_path, 0),
    F_BOOL("readonly", spec, root_readonly, 0),
};
static OBJECT(root, "root", spec);

static const struct field annotation_value = F_STRING("", spec_pair, value, 0);
static const struct object annotation = {
    .what = "annotation", .size = sizeof(struct spec_pair), .value = &annotation_value, .check = check_annotation};

static const struct field object_document_fields[] = {
    F_STRING("ociVersion", spec, version, FIELD_REQUIRED),
    F_POINTER("process", spec, process, object_process),
    F_SAME("root", root, 0),
    F_STRING("hostname", spec, hostname, 0),
    F_STRING("domainname", spec, domainname, 0),
    F_LIST("mounts", spec, mounts, n_mounts, object_mount, 0),
    F_INLINE("hooks", spec, hooks, object_hooks, 0),
    F_MAP("annotations", spec, annotations, n_annotations, annotation),
    F_INLINE("linux", spec, linux_, object_linux, 0),
    F_POINTER("holm", spec, holm, object_holm),
    F_IGNORED("solaris", "is for another platform and has no effect"),
    F_IGNORED("windows", "is for another platform and has no effect"),
    F_IGNORED("vm", "is for another platform and has no effect"),
    F_IGNORED("zos", "is for another platform and has no effect"),
    F_IGNORED("freebsd", "is for another platform and has no effect"),
};
OBJECT(object_document, "config", spec, .check = check_document);
