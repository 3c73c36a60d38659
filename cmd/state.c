/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/state.h"

#include "cmd/output.h"
#include "cmd/verbs.h"

void state_print(struct json_writer *json, const struct container_state *state, const char *owner)
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
	json_close(json);
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	struct container_state state;
	struct json_writer json = json_writer_init(2);
	auto_free char *text = NULL;
	int r;

	(void)options, (void)n;
	r = container_state(&call->runtime, operands[0], call->arena, &state, e);
	if (r)
		return r;
	state_print(&json, &state, "");
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
