/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files that make a config.json share (config.h is what others see): the configuration that is being made, and its parts,
 * one function each.
 *
 * Each reads the options (o) and what they are laid over (base), and fills its part of spec.  Everything lives in arena.  They return
 * 0 or -errno with *e filled.
 */
#ifndef HOLM_INSTANCES_CONFIG_BUILDER_H
#define HOLM_INSTANCES_CONFIG_BUILDER_H

#include "base/arena.h"
#include "base/error.h"
#include "instances/config.h"
#include "instances/user.h"

struct config_builder {
	const struct runtime *runtime;
	const struct config_options *o;
	const struct config_base *base;
	struct arena *arena;
	struct spec spec;
	struct spec_process process;
	struct spec_resources resources;
	struct spec_holm holm;
	struct spec_capabilities capabilities;
	struct user user;
	struct spec_mount *device_mounts; /* devices that have another name inside */
	size_t n_device_mounts;
	bool own_network;
	bool systemd;	       /* what it runs is a whole system's first process */
	bool shared_ids;       /* the user namespace is another instance's, as its network is */
	uint32_t first_shared; /* 0: it has none */
	struct error *e;
};

/* The list with room for one more than n; it grows by doubling. */
void *config_grow(struct arena *arena, void *list, size_t n, size_t size);

/* A new element at the end of list, which has n; an lvalue. */
#define CONFIG_ADD(b, list, n)                                                                                         \
	(*({                                                                                                           \
		(list) = config_grow((b)->arena, (void *)(list), (n), sizeof(*(list)));                                \
		&(list)[(n)++];                                                                                        \
	}))

/* Is that program a system's first process (systemd, or /sbin/init, which may be another)? */
bool config_is_systemd(const char *program);

/* The command, its variables and who runs it (config_process.c). */
int config_build_args(struct config_builder *b) must_check;
int config_build_env(struct config_builder *b) must_check;
int config_build_user(struct config_builder *b) must_check;
int config_build_process(struct config_builder *b) must_check;

/* What it may (config_rights.c). */
int config_build_capabilities(struct config_builder *b) must_check;
int config_build_seccomp(struct config_builder *b) must_check;
int config_build_user_namespace(struct config_builder *b) must_check;
int config_build_sysctls(struct config_builder *b) must_check;

/* Limits and devices (config_resources.c). */
int config_build_resources(struct config_builder *b) must_check;
int config_build_devices(struct config_builder *b) must_check;

int config_build_mounts(struct config_builder *b) must_check;	/* config_mounts.c */
int config_build_networks(struct config_builder *b) must_check; /* config_networks.c */
int config_build_upkeep(struct config_builder *b) must_check;	/* config_upkeep.c */

#endif
