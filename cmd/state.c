/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/state.h"

#include "cmd/output.h"
#include "cmd/verbs.h"

/* What a stopped container used and which limits it ran into; holm's own addition, after the OCI's keys. */
static void put_end(struct json_writer *json, const struct container_state *state, const struct cgroup_end *end)
{
	char text[256];

	json_open_object(json, "end");
	if (state->exit >= 0)
		json_put_int(json, "exitStatus", state->exit);
	if (*cgroup_end_format(end, text, sizeof(text)))
		json_put_string(json, "why", text);
	for (size_t i = 0; i < cgroup_end_fields_count; i++)
		json_put_uint(json, cgroup_end_fields[i].key, cgroup_end_field(end, i));
	json_close(json);
}

void state_print(struct json_writer *json, const struct container_state *state, const char *owner,
		 const struct cgroup_end *end)
{
	json_open_object(json, NULL);
	json_put_string(json, "ociVersion", SPEC_VERSION);
	json_put_string(json, "id", state->id);
	json_put_int(json, "pid", state->pid);
	json_put_string(json, "status", container_status_name(state->status));
	json_put_string(json, "bundle", state->bundle);
	json_put_string(json, "rootfs", state->rootfs);
	json_put_string(json, "created", state->created);
	if (state->n_annotations) {
		json_open_object(json, "annotations");
		for (size_t i = 0; i < state->n_annotations; i++)
			json_put_string(json, state->annotations[i].key, state->annotations[i].value);
		json_close(json);
	}
	json_put_string(json, "owner", owner);
	if (state->updates)
		json_put_raw(json, "updates", state->updates);
	if (end)
		put_end(json, state, end);
	json_close(json);
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct cgroup_end *ended = NULL;
	struct container_state state;
	struct cgroup_end end;
	struct json_writer json = json_writer_init(2);
	auto_free char *text = NULL;
	int r;

	(void)options, (void)n;
	r = container_state(&call->runtime, operands[0], call->arena, &state, e);
	if (r)
		return r;
	if (state.status == CONTAINER_STOPPED && !container_end(&call->runtime, operands[0], &end, e))
		ended = &end;
	state_print(&json, &state, "", ended);
	text = json_finish(&json);
	return output_write(text, e);
}

const struct verb verb_state = {
    .name = "state",
    .summary = "print a container's state as JSON",
    .operands = "ID",
    .min = 1,
    .max = 1,
    .run = run,
};
