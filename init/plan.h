/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plan: what init does, compiled beforehand (runtime/plan_compile.h) into one flat block of bytes.
 *
 * Init inherits three things: this block (a sealed memfd), one socket (init/message.h), and the standard streams.  It maps
 * the block, walks the operations in order and does nothing else, so `holm explain`, which prints the same block, can't
 * drift from a real start.
 *
 * Layout: struct plan, then anything.  A reference (plan_ref) is the offset of a NUL-terminated string or of an array from
 * the start of the block; 0 stands for none.  The block is built and read by programs of one build, so there is no
 * version and no byte order to care for.
 */
#ifndef HOLM_INIT_PLAN_H
#define HOLM_INIT_PLAN_H

#include <stdint.h>

typedef uint32_t plan_ref; /* the one typedef: an offset, not a number to reckon with */

/* Where a mount comes from. */
enum plan_source {
	PLAN_SOURCE_NEW,  /* a new instance of a file system: fsopen(2) */
	PLAN_SOURCE_HOST, /* a detached tree, sent by the host side (MESSAGE_TREE) */
	PLAN_SOURCE_PATH, /* a path of the host that init opens itself, before the root changes */
};

enum plan_kind {
	PLAN_JOIN,	  /* namespace: receive MESSAGE_NAMESPACE and setns(2) */
	PLAN_UNSHARE,	  /* number: CLONE_NEW... */
	PLAN_BECOME_ROOT, /* uid and gid 0 of the user namespace just joined */
	PLAN_CHECK_MAPS,  /* maps: those of the user namespace just joined must be these */
	PLAN_OPEN_CLOCKS, /* open /proc/self/timens_offsets, before a user namespace takes the right to; number: no root */
	PLAN_TIME_OFFSETS,  /* string: lines for that file, before the fork that enters the time namespace */
	PLAN_CGROUPS,	    /* receive MESSAGE_CGROUPS and enter each v1 folder */
	PLAN_FORK,	    /* go on in a child (its parent is the host side) and tell its pid */
	PLAN_TELL,	    /* number: the message to send */
	PLAN_WAIT,	    /* number: the message to wait for */
	PLAN_SESSION,	    /* setsid(2) */
	PLAN_KEYRING,	    /* string: name of a new session keyring, or none; string2: its SELinux label */
	PLAN_ROOT,	    /* root: get the root's tree and attach it */
	PLAN_MOUNT,	    /* mount */
	PLAN_ATTACH,	    /* attach what PLAN_MOUNT held back; string: path; number: MOUNT_ATTR_... to set first */
	PLAN_MKDIR,	    /* string: path below the root; number: mode */
	PLAN_SYMLINK,	    /* string: path; string2: what it points to */
	PLAN_DEVICE,	    /* device */
	PLAN_CONSOLE,	    /* console: a pty from the container's devpts becomes the standard streams */
	PLAN_MASK,	    /* string: path; a file is covered by /dev/null, a folder by an empty read-only one */
	PLAN_READONLY_PATH, /* string: path */
	PLAN_PROC,	    /* a procfs of our own for the writes below, if no PLAN_MOUNT was it */
	PLAN_HOOK,	    /* hook: run it here */
	PLAN_PIVOT,	    /* pivot_root(2) into the root */
	PLAN_MOVE_ROOT,	    /* move the root onto / and chroot(2), where pivot_root can't work */
	PLAN_CHROOT,	    /* no mount namespace of its own: chroot(2) only; string: path of the host */
	PLAN_ENTER_ROOT,    /* exec: / of the namespaces just joined is the root */
	PLAN_ROOT_ATTR,	    /* number: MOUNT_ATTR_... to set on /; number2: propagation (MS_...) or 0 */
	PLAN_SYSCTL,	    /* string: path below /proc/sys; string2: value */
	PLAN_HOSTNAME,	    /* string */
	PLAN_DOMAINNAME,    /* string */
	PLAN_LOOPBACK,	    /* bring lo up */
	PLAN_RLIMIT,	    /* rlimit */
	PLAN_OOM_SCORE,	    /* string: the number; number: of an ordinary user */
	PLAN_SCHEDULER,	    /* scheduler */
	PLAN_IO_PRIORITY,   /* number: ioprio_set(2)'s value */
	PLAN_AFFINITY,	    /* affinity */
	PLAN_MEMORY_POLICY, /* memory_policy */
	PLAN_PERSONALITY,   /* number */
	PLAN_UMASK,	    /* number */
	PLAN_LABEL,	    /* string: file below /proc/thread-self ("attr/exec"); string2: what is written */
	PLAN_NO_NEW_PRIVILEGES, /* prctl(2) */
	PLAN_USER,		/* user: bounding set, groups, gid, uid, working folder; other capabilities stay */
	PLAN_FIND_PROGRAM,	/* args[0] in PATH, HOME from /etc/passwd where it isn't given */
	PLAN_START,		/* receive MESSAGE_START, tell MESSAGE_READY, wait for a connection on that socket */
	PLAN_SECCOMP,		/* seccomp */
	PLAN_CAPABILITIES,	/* capabilities: the other four sets, for good */
	PLAN_EXEC,		/* execve(2); number: in a child, and stay as its init */
	PLAN_UNMOUNT,		/* string: path of the folder below the root; string2: what is mounted there */
	PLAN_QUIT,		/* all is done: exit */
	_PLAN_KIND_N
};

/* plan_mount.flags */
enum {
	PLAN_MOUNT_COPY_UP = 1,		   /* tmpcopyup */
	PLAN_MOUNT_HOLD = 2,		   /* a tmpfs that is filled while detached, until PLAN_ATTACH */
	PLAN_MOUNT_PROC = 4,		   /* the procfs that later writes go through */
	PLAN_MOUNT_DEVPTS = 8,		   /* where the console comes from */
	PLAN_MOUNT_RECURSIVE = 16,	   /* SOURCE_PATH: rbind */
	PLAN_MOUNT_REMOUNT = 32,	   /* change what is mounted there */
	PLAN_MOUNT_TARGET_MODE = 64,	   /* tmpfs without mode=: the mode of the folder it covers */
	PLAN_MOUNT_FALLBACK = 128,	   /* where it may not be mounted: bind source, a path of the host, instead */
	PLAN_MOUNT_NO_SYMLINK = 256,	   /* the target's last part must not be a symlink (/proc, /sys) */
	PLAN_MOUNT_SUPERBLOCK_RO = 512,	   /* "ro" for the file system too */
	PLAN_MOUNT_SOURCE_NOFOLLOW = 2048, /* SOURCE_PATH: a symlink is itself bound */
	PLAN_MOUNT_TARGET_NOFOLLOW = 4096, /* the target's last part is no symlink: it is covered, not followed */
	PLAN_MOUNT_IN_PROC = 1024,	   /* the target may lie in a procfs (one of the few files that may) */
};

struct plan_mount {
	plan_ref target, type, source;
	plan_ref data; /* array of n_data refs: "key=value" or "flag" */
	uint32_t n_data, from, flags;
	plan_ref propagation; /* array of n_propagation uint32_t: MS_... */
	uint32_t n_propagation;
	uint32_t tree_propagation; /* what a bound tree becomes before it is attached: MS_..., 0: as it is */
	uint64_t set, clear, recursive_set, recursive_clear; /* MOUNT_ATTR_... */
};

struct plan_device {
	plan_ref path;
	uint32_t type; /* S_IFCHR, S_IFBLK, S_IFIFO */
	uint32_t major, minor, mode, uid, gid;
	uint32_t from; /* SOURCE_NEW: mknod(2); SOURCE_HOST, SOURCE_PATH: bound from the host (user namespaces) */
	plan_ref source;
};

struct plan_hook {
	plan_ref path, args, env; /* arrays of refs */
	uint32_t n_args, n_env;
	plan_ref state_head, state_tail; /* the state's JSON is head, our pid, tail */
	uint32_t timeout;		 /* seconds, 0: none */
	uint32_t in_container;		 /* startContainer: with the payload's capabilities and environment */
};

struct plan_user {
	uint32_t uid, gid;
	plan_ref groups; /* array of n_groups uint32_t */
	uint32_t n_groups;
	uint32_t keep_groups; /* where setgroups(2) is denied in this user namespace they stay */
	plan_ref cwd, cwd_cause;
	uint32_t create_cwd;
	uint64_t bounding; /* set here, while CAP_SETPCAP is there */
};

struct plan_capabilities {
	uint64_t effective, permitted, inheritable, ambient;
};

struct plan_op {
	uint32_t kind;	/* enum plan_kind */
	plan_ref cause; /* the spec path that asked for it, for errors and explain */
	plan_ref string, string2;
	uint64_t number, number2;
	union {
		uint32_t namespace; /* CLONE_NEW... */
		struct {
			plan_ref source;
			uint32_t from, propagation; /* MS_... for what init sees of the host */
		} root;
		struct plan_mount mount;
		struct plan_device device;
		struct {
			uint32_t rows, columns, uid;
			uint32_t exec;	/* from the running container's /dev/pts; no /dev/console is made */
			uint32_t plain; /* the output goes into no terminal: "\n" stays "\n" */
		} console;
		struct plan_hook hook;
		struct {
			uint64_t soft, hard;
			uint32_t resource;
		} rlimit;
		struct {
			uint32_t policy, priority;
			int32_t nice;
			uint64_t flags, runtime, deadline, period;
		} scheduler;
		struct {
			plan_ref nodes; /* a mask of n_bits bits, in 8-byte words */
			uint32_t n_bits, mode;
		} memory_policy;
		struct plan_user user;
		struct {
			plan_ref uids,
			    gids; /* arrays of n struct spec_id_map's three uint32_t: inside, outside, how many */
			uint32_t n_uids, n_gids;
		} maps;
		struct {
			plan_ref mask; /* n bytes */
			uint32_t n;
		} affinity;
		struct {
			plan_ref filter; /* n struct sock_filter */
			uint32_t n, flags;
			uint32_t listener; /* hand the notification descriptor to the host side */
		} seccomp;
		struct plan_capabilities capabilities;
	};
};

struct plan {
	uint32_t size;
	uint32_t n_ops;
	plan_ref ops;	    /* array of struct plan_op */
	plan_ref args, env; /* arrays of plan_ref */
	uint32_t n_args, n_env;
	uint32_t preserve; /* descriptors 3 .. 3+preserve-1 go on to the payload */
};

#endif
