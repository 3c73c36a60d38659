/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the spec to the plan: pure.  Nothing here touches the system; what must be known of it comes in as struct plan_input.
 *
 * The result is two lists: the block that init executes (init/plan.h), and what the host side has to do for it, in the
 * order in which init will ask.  runtime/launch.c executes both and nothing else; `holm explain` prints both.
 */
#ifndef HOLM_RUNTIME_PLAN_H
#define HOLM_RUNTIME_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include "base/arena.h"
#include "base/error.h"
#include "runtime/block.h"
#include "runtime/caps.h"
#include "runtime/idmap.h"
#include "runtime/seccomp.h"
#include "spec/spec.h"

struct cgroup;
struct cgroup_host;

struct plan_input {
	const char *id, *bundle; /* bundle: absolute */
	const struct spec *spec;
	const struct caps_sets *capabilities;  /* of process; unused without one */
	const struct seccomp_program *seccomp; /* NULL: none */
	const struct cgroup_host *cgroup_host;
	const struct cgroup *cgroup; /* where the container will be; n_paths may be 0 */
	bool enters_cgroups;	     /* init enters v1 folders itself, or waits for systemd or the device program */
	bool privileged;	     /* real root: the host side opens mount sources, and maps are written directly */
	bool no_pivot, no_new_keyring;
	bool wait_for_start;	     /* create */
	unsigned preserve;	     /* descriptors from 3 on that go to the payload */
	unsigned listen_fds;	     /* of those, systemd's */
	const char *notify_folder;   /* of the host, bound on /run/notify; NULL: none */
	const char *hosts, *resolv;  /* of the host, bound where the spec has no such mount; NULL: none */
	const char *const *symlinks; /* by mount: what its source, a symlink, points to (copy-symlink); NULL: not */
	const struct rlimit *limits; /* the caller's own, by resource (RLIM_NLIMITS) */
	uint32_t rows, columns; /* of the terminal that the caller sits at; 0: none, and the spec may give a size */
	bool plain_output;	/* what the terminal shows goes into a file or pipe */
	const char *root;	/* what the root is made of, where holm makes it; NULL: it is root.path */
};

/* A mount that the host side opens and sends, in this order. */
struct plan_tree {
	const char *path, *cause;
	bool recursive, nofollow;
	bool of_network; /* a file that the network makes: there once on_network_files() says so */
	enum { PLAN_TREE_ROOT, PLAN_TREE_MADE_ROOT, PLAN_TREE_BIND, PLAN_TREE_DEVICE } use;
	const struct idmap *map;   /* idmapped with it; NULL: not */
	const char *map_namespace; /* or with the user namespace at this path */
	bool map_recursive;
};

struct plan_namespace {
	const char *path, *cause;
	uint32_t type; /* CLONE_NEW... */
	const char
	    *changer; /* the spec path of what will change the namespace, so it must not be the host's; NULL: nothing */
};

struct plan_result {
	struct block block;
	uint64_t clone_flags; /* CLONE_NEWPID or nothing */
	struct plan_namespace joins[_SPEC_NS_N];
	size_t n_joins;
	struct plan_tree *trees;
	size_t n_trees;
	const struct idmap *map; /* of the new user namespace; NULL: none is made */
	const char *user_path;	 /* the user namespace that is joined; NULL: none is */
	bool forks;		 /* init goes on in another process (MESSAGE_PID) */
	bool enters_cgroups;	 /* MESSAGE_CGROUPS, also with nothing in it */
	bool network;		 /* linux.netDevices, holm.networks: MESSAGE_NAMESPACES, and GO once it is joined */
	bool host_hooks;	 /* MESSAGE_MOUNTED */
	bool console;
	bool listener;
};

/* CLONE_NEW... of each. */
extern const uint32_t plan_namespace_flags[_SPEC_NS_N];

int plan_create(const struct plan_input *input, struct arena *arena, struct plan_result *ret,
		struct error *e) must_check;

/* What exec needs to know of the container beside the process. */
struct plan_exec_input {
	const struct spec_process *process;
	const struct caps_sets *capabilities;
	const struct seccomp_program *seccomp; /* NULL: none */
	uint64_t namespaces;		       /* CLONE_NEW... that the container does not share with the host */
	const char *rootfs;		       /* where it has no mount namespace: the host's path of its root */
	bool user_namespace, enters_cgroups, privileged, no_new_keyring;
	unsigned preserve;
	enum spec_personality personality;
	uint32_t rows, columns;
	bool plain_output;
};

int plan_exec(const struct plan_exec_input *input, struct arena *arena, struct plan_result *ret,
	      struct error *e) must_check;

/* A mount more, or one less, in a container that runs. */
struct plan_remodel_input {
	const struct spec_mount *mount; /* NULL: one less */
	const char *target;		/* of the one that goes */
	const char *bundle;		/* what a relative source is relative to */
	uint64_t namespaces;		/* as in struct plan_exec_input */
	const char *user_path; /* the container's user namespace, for mounts idmapped by it; NULL: it has none */
};

int plan_remodel(const struct plan_remodel_input *input, struct arena *arena, struct plan_result *ret,
		 struct error *e) must_check;

/* One operation in words, for `holm explain`; in the arena. */
const char *plan_describe(const struct block *block, const struct plan_op *op, struct arena *arena);

#endif
