/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the compiler share (runtime/plan.h is what others see): its state, and the functions that add operations
 * to the block.  They add and never look back, so the order of the calls in plan_create() and its like is the order in which
 * init works.
 *
 *   plan_compile.c     create, exec and remodel, from beginning to end
 *   plan_namespaces.c  which are made and joined
 *   plan_mounts.c      the root, the mounts, what covers paths
 *   plan_devices.c     what is in /dev
 *   plan_process.c     the payload: hooks, limits, identity, terminal
 *
 * cause: the spec path that asked for an operation, NULL: nobody did, holm always does it.
 */
#ifndef HOLM_RUNTIME_PLAN_COMPILE_H
#define HOLM_RUNTIME_PLAN_COMPILE_H

#include "runtime/plan.h"

struct compiler {
	const struct plan_input *in; /* NULL: exec */
	const struct spec *spec;     /* NULL: exec */
	struct arena *arena;
	struct plan_result *out;
	struct block *block;
	size_t room_trees;
	bool new_user, user; /* a user namespace is made; made or joined */
	bool has_proc;	     /* a PLAN_MOUNT keeps a procfs that can be written through */
	struct error *e;
};

/* ---- one operation ---- */

/* A new operation at the end, zeroed but for kind and cause.  Valid until the next is added. */
struct plan_op *compile_op(struct compiler *c, enum plan_kind kind, const char *cause);
void compile_strings(struct compiler *c, enum plan_kind kind, const char *cause, const char *string,
		     const char *string2);
void compile_numbers(struct compiler *c, enum plan_kind kind, const char *cause, uint64_t number, uint64_t number2);

/* "list[i]", for cause. */
const char *compile_cause(struct compiler *c, const char *list, size_t i);

/* One more tree that the host side opens, in the order in which init asks for them.  Valid until the next is added. */
struct plan_tree *compile_tree(struct compiler *c);

/* "/a//b/." as "/a/b"; ".." is left to the resolver, which keeps it inside the root. */
const char *compile_clean_path(struct compiler *c, const char *path);

/* A relative path begins in the bundle. */
const char *compile_host_path(struct compiler *c, const char *path);

/* ---- namespaces ---- */

void compile_namespaces(struct compiler *c);
bool compile_is_new(const struct compiler *c, enum spec_namespace_type type);
const char *compile_network_cause(const struct compiler *c);

/* ---- mounts ---- */

/* Root, mounts, devices and console.  0, or -errno with a refusal in c->e. */
int compile_file_system(struct compiler *c) must_check;

/* Without a mount namespace: refuses whatever would need one. */
int compile_refuse_mounts(const struct compiler *c) must_check;

/* linux.readonlyPaths and linux.maskedPaths */
void compile_covers(struct compiler *c);

/* May this be mounted there?  target: cleaned.  cause: of the mount. */
int compile_check_target(struct compiler *c, const struct spec_mount *m, const char *target,
			 const char *cause) must_check;

/* The fields that all kinds of mounts share. */
struct plan_mount compile_mount(struct compiler *c, const struct spec_mount *m, const char *target);

/* A bind of a path of the host.  m: where its idmap and source options come from, or NULL. */
void compile_bind(struct compiler *c, const char *cause, struct plan_mount mount, const char *source, bool recursive,
		  const struct spec_mount *m);

/* ---- /dev ---- */

/* Is /dev the image's own folder or a tmpfs that is filled (held or not), or a bind that is left alone? */
enum dev_kind { DEV_IMAGE, DEV_HELD, DEV_BOUND };

enum dev_kind compile_find_dev(struct compiler *c);
bool compile_binds_devices(const struct compiler *c);
void compile_device(struct compiler *c, const char *cause, const struct spec_device *d);
void compile_devices(struct compiler *c); /* the default ones and linux.devices */
void compile_dev_links(struct compiler *c);

/* ---- the process: shared by create and exec ---- */

struct process_input {
	const struct spec_process *process;
	const struct caps_sets *capabilities;
	const struct seccomp_program *seccomp; /* NULL: none */
	bool keep_groups, create_cwd;
	bool stay; /* init stays as process 1 */
};

void compile_oom_score(struct compiler *c, const struct spec_process *p, bool privileged);
void compile_early_rlimits(struct compiler *c);

/*
 * A session keyring: the caller's own, with all that root keeps there, is not for the payload.  id NULL: without a name, for exec;
 * for a name the kernel looks at those of all containers.
 */
void compile_keyring(struct compiler *c, const char *id, const char *label);
void compile_hooks(struct compiler *c, enum spec_hook_kind kind, const char *status, bool in_container);
void compile_console(struct compiler *c, const struct spec_process *p, uint32_t rows, uint32_t columns, bool plain,
		     bool exec);
void compile_personality(struct compiler *c, enum spec_personality personality);
void compile_memory_policy(struct compiler *c, const struct spec_memory_policy *m);
void compile_affinity(struct compiler *c, const char *list, const char *cause); /* list NULL: all CPUs */

/* What comes before the container may be seen as created, and what comes after its start. */
void compile_process(struct compiler *c, const struct process_input *in);
void compile_end(struct compiler *c, const struct process_input *in);

/* Will something be written below /proc?  Either may be NULL. */
bool compile_needs_proc(const struct spec *spec, const struct spec_process *p);

#endif
