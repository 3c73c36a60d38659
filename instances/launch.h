/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Making an instance from options: the folder, the root file system, config.json.  And taking one away with all of it.
 */
#ifndef HOLM_INSTANCES_LAUNCH_H
#define HOLM_INSTANCES_LAUNCH_H

#include "instances/config.h"
#include "instances/instance.h"

/*
 * Everything up to its name: the caller looks at it and calls instance_publish(), or launch_discard().  options->name is set.
 * In ret: labels, delay and --rm from the options; up is not set.  *ret_spec is its config.json; the caller releases it.
 */
int launch_make(const struct runtime *runtime, const struct config_options *options, struct instance *ret,
		struct spec *ret_spec, struct error *e) must_check;
void launch_discard(const struct runtime *runtime, struct instance *instance);

/*
 * The text of the config.json that an instance which is there would have with these options; its root file system and id range
 * stay as they are.
 */
int launch_rebuild(const struct runtime *runtime, const struct config_options *options, const struct instance *instance,
		   char **ret_text, struct error *e) must_check;

/* Takes a stopped instance away: root file system, id range, folder.  The lock is held. */
int launch_remove(const struct runtime *runtime, struct instance *instance, struct error *e) must_check;

#endif
