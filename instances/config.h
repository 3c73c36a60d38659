/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From what people ask for to config.json: nothing happens here that a hand-written config.json could not ask for.
 *
 * The options are those of `holm launch`, as they were written; what is not given comes from the image, then from holm's
 * defaults, which are the safe ones: every namespace (a range of ids of its own), holm's seccomp profile, a short list of
 * capabilities, no devices, masked paths, no new privileges, at most 4,096 processes, and all killed together when memory runs
 * out.
 *
 * Errors name the option: "--cpus '1,5': ...".
 */
#ifndef HOLM_INSTANCES_CONFIG_H
#define HOLM_INSTANCES_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/container.h"
#include "spec/resources.h"
#include "spec/spec.h"
#include "storage/image.h"

struct config_options {
	const char *name, *image, *rootfs; /* image or rootfs (absolute) */
	const char **args;		   /* the command; none: the image's */
	size_t n_args;
	const char *profile, *entrypoint, *hostname, *cwd, *user;
	bool detach, interactive, terminal, remove, dry_run;
	bool read_only, init, notify, is_volatile, new_privileges;
	/* resources */
	struct spec_number memory, memory_high, swap, size, shm_size;
	struct spec_unsigned inodes;
	const char *cpus, *cpuset;
	struct spec_unsigned cpu_weight, io_weight;
	struct spec_number pids;
	const char **io_read_bps, **io_write_bps, **io_read_iops, **io_write_iops; /* DEVICE:RATE */
	size_t n_io_read_bps, n_io_write_bps, n_io_read_iops, n_io_write_iops;
	/* networks */
	const char **networks, **publish;
	size_t n_networks, n_publish;
	const char *address, *mac, *rate;
	/* what is inside */
	const char **env, **env_files, **volumes, **tmpfs, **devices, **labels, **groups, **sysctls, **ulimits;
	size_t n_env, n_env_files, n_volumes, n_tmpfs, n_devices, n_labels, n_groups, n_sysctls, n_ulimits;
	/* what it may */
	const char *capabilities; /* the named set; NULL: default */
	const char **cap_add, **cap_drop;
	size_t n_cap_add, n_cap_drop;
	const char *userns, *seccomp, *apparmor;
	/* upkeep */
	const char *restart, *stop_signal, *health_command, *health_action;
	int64_t restart_delay, stop_timeout, delay, health_interval, health_timeout, health_start_period;
	unsigned health_retries, log_files;
	struct spec_number log_size;
	const char **after;
	size_t n_after;
};

/* What the options are laid over. */
struct config_base {
	const struct image_config *image; /* NULL: none */
	int root;			  /* the root file system, for names of users; -1: none */
	const struct store *store;	  /* where volumes are */
	bool make_volumes;		  /* those that are not there */
	const uint32_t *first_id;	  /* of the instance's own range; NULL: take one */
};

/* The text of config.json, for people; the caller frees it.  What it means is checked: *ret_spec is that text, parsed; the caller's,
   too. */
int config_build(const struct runtime *runtime, const struct config_options *options, const struct config_base *base,
		 char **ret_text, struct spec *ret_spec, struct error *e) must_check;

/* The first id of the range that a config maps to the container's 0; 0: it has no range of its own. */
uint32_t config_first_id(const struct spec *spec);

/* "NAME=VALUE" or "NAME" (an empty value), as --label takes it. */
int config_parse_label(const char *text, struct arena *arena, struct spec_pair *ret, struct error *e) must_check;

/* --cpus and --cpu-weight into resources: what they take is the same wherever they are options. */
int config_set_cpus(struct spec_resources *resources, const char *cpus, struct error *e) must_check;
int config_set_cpu_weight(struct spec_resources *resources, uint64_t weight, struct error *e) must_check;

/* What asks the payload to end: holm.stop, else what its kind of init understands. */
int config_stop_signal(const struct spec *spec);
int64_t config_stop_timeout(const struct spec *spec); /* ns */

#endif
