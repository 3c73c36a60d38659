/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cgroups/devices.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

#define RWM (SPEC_DEVICE_MKNOD | SPEC_DEVICE_READ | SPEC_DEVICE_WRITE)

static const char program_name[] = "holm_devices"; /* how a later update knows ours; at most 15 characters */

enum { MAX_PROGRAMS = 64 }; /* the kernel's own limit per cgroup */

_Static_assert((int)SPEC_DEVICE_MKNOD == (int)BPF_DEVCG_ACC_MKNOD && (int)SPEC_DEVICE_READ == (int)BPF_DEVCG_ACC_READ &&
		   (int)SPEC_DEVICE_WRITE == (int)BPF_DEVCG_ACC_WRITE,
	       "the spec's bits are the kernel's");

/* ---- the program ---- */

struct program {
	struct bpf_insn *insns;
	size_t n;
};

static void emit(struct program *p, int code, int dst, int src, int off, int imm)
{
	p->insns[p->n++] = (struct bpf_insn){.code = code, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm};
}

static void emit_return(struct program *p, int value)
{
	emit(p, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, value);
	emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* Leaves r2: kind of device, r3: bits not yet decided, r4: major, r5: minor. */
static void emit_start(struct program *p)
{
	emit(p, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, access_type), 0);
	emit(p, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_4, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, major), 0);
	emit(p, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_5, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, minor), 0);
	emit(p, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_3, BPF_REG_2, 0, 0);
	emit(p, BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_2, 0, 0, 0xffff);
	emit(p, BPF_ALU64 | BPF_RSH | BPF_K, BPF_REG_3, 0, 0, 16);
}

/* Decides r3's bits by one rule: returns when that settles it, else falls through to the next. */
static void emit_rule(struct program *p, const struct spec_device_rule *r)
{
	size_t skips[3], n = 0;

	skips[n++] = p->n;
	emit(p, BPF_JMP32 | BPF_JNE | BPF_K, BPF_REG_2, 0, 0,
	     r->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
	if (r->major >= 0) {
		skips[n++] = p->n;
		emit(p, BPF_JMP32 | BPF_JNE | BPF_K, BPF_REG_4, 0, 0, (int)r->major);
	}
	if (r->minor >= 0) {
		skips[n++] = p->n;
		emit(p, BPF_JMP32 | BPF_JNE | BPF_K, BPF_REG_5, 0, 0, (int)r->minor);
	}
	if (r->allow) {
		emit(p, BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_3, 0, 0, RWM & ~r->access);
		emit(p, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_3, 0, 2, 0);
		emit_return(p, 1);
	} else {
		emit(p, BPF_JMP | BPF_JSET | BPF_K, BPF_REG_3, 0, 1, r->access);
		emit(p, BPF_JMP | BPF_JA, 0, 0, 2, 0);
		emit_return(p, 0);
	}
	while (n--)
		p->insns[skips[n]].off = p->n - skips[n] - 1;
}

void devices_v2_generate(const struct device_rules *rules, struct arena *arena, struct bpf_insn **ret, size_t *ret_n)
{
	struct program p = {.insns = arena_array(arena, struct bpf_insn, 8 + 7 * rules->n)};
	size_t first = 0;

	while (first < rules->n && !rules->rules[first].allow)
		first++; /* denied is what everything is at the end */
	emit_start(&p);
	for (size_t i = rules->n; i-- > first;)
		emit_rule(&p, &rules->rules[i]);
	emit_return(&p, 0);
	*ret = p.insns;
	*ret_n = p.n;
}

/* ---- the kernel ---- */

/*
 * Always the whole, zeroed union: kernels 6.17 to 7.1 write to its later fields whatever size they were told.
 * RLIMIT_MEMLOCK is left alone: since 5.11 programs are charged to the memory cgroup.
 */
static int call_bpf(int command, union bpf_attr *attr)
{
	int r = syscall(SYS_bpf, command, attr, sizeof(*attr));

	return r < 0 ? -errno : r;
}

static int load_program(const struct bpf_insn *insns, size_t n, char *log, size_t log_size)
{
	static const char license[] = "GPL";
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insns = (uintptr_t)insns;
	attr.insn_cnt = n;
	attr.license = (uintptr_t)license;
	memcpy(attr.prog_name, program_name, sizeof(program_name));
	if (log) {
		attr.log_buf = (uintptr_t)log;
		attr.log_size = log_size;
		attr.log_level = 1;
	}
	return call_bpf(BPF_PROG_LOAD, &attr);
}

/* The ids of the device programs attached to the folder itself. */
static int query_programs(int folder_fd, uint32_t ids[MAX_PROGRAMS], size_t *ret_n)
{
	union bpf_attr attr;
	int r;

	memset(&attr, 0, sizeof(attr));
	attr.query.target_fd = folder_fd;
	attr.query.attach_type = BPF_CGROUP_DEVICE;
	attr.query.prog_ids = (uintptr_t)ids;
	attr.query.prog_cnt = MAX_PROGRAMS;
	r = call_bpf(BPF_PROG_QUERY, &attr);
	if (r < 0)
		return r;
	*ret_n = attr.query.prog_cnt;
	return 0;
}

/* *ret: a descriptor of the program with this id if it is one of ours, else -1. */
static int open_own_program(uint32_t id, int *ret)
{
	struct bpf_prog_info info;
	union bpf_attr attr;
	auto_fd fd = -1;
	int r;

	*ret = -1;
	memset(&attr, 0, sizeof(attr));
	attr.prog_id = id;
	fd = call_bpf(BPF_PROG_GET_FD_BY_ID, &attr);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd; /* detached meanwhile */
	memset(&info, 0, sizeof(info));
	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = fd;
	attr.info.info_len = sizeof(info);
	attr.info.info = (uintptr_t)&info;
	r = call_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);
	if (!r && !strncmp(info.name, program_name, sizeof(info.name)))
		*ret = take_fd(&fd);
	return r;
}

/* Not to know whether there is one is an error: a second one would hold everything to the rules of the first. */
static int find_own_program(int folder_fd, int *ret)
{
	uint32_t ids[MAX_PROGRAMS];
	size_t n = 0;
	int r = query_programs(folder_fd, ids, &n);

	*ret = -1;
	for (size_t i = 0; !r && *ret < 0 && i < n; i++)
		r = open_own_program(ids[i], ret);
	return r;
}

int devices_v2_count(const char *folder, size_t *ret_n)
{
	auto_fd fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint32_t ids[MAX_PROGRAMS];

	return fd < 0 ? -errno : query_programs(fd, ids, ret_n);
}

int devices_v2_attach(const char *folder, const struct device_rules *rules, bool replace, struct arena *arena,
		      struct error *e)
{
	auto_fd folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), program = -1, old = -1;
	struct bpf_insn *insns;
	union bpf_attr attr;
	size_t n;
	int r;

	if (folder_fd < 0)
		return error_system(e, errno, "open '%s'", folder);
	devices_v2_generate(rules, arena, &insns, &n);
	program = load_program(insns, n, NULL, 0);
	if (program == -ENOSYS || program == -EPERM)
		return error_refuse(e, program == -EPERM ? ERROR_PERMISSION : ERROR_UNSUPPORTED,
				    "linux.resources.devices: %s: device rules on cgroup v2 are a BPF program",
				    program == -EPERM ? "needs CAP_BPF and CAP_NET_ADMIN or CAP_SYS_ADMIN"
						      : "the kernel has no bpf(2)");
	if (program < 0) {
		char log[512] = "";
		int again = load_program(insns, n, log, sizeof(log));

		fd_close(again);
		return error_system(e, -program,
				    "linux.resources.devices: load the BPF program (%zu instructions): %.300s", n, log);
	}
	r = replace ? find_own_program(folder_fd, &old) : 0;
	if (r < 0)
		return error_system(e, -r, "linux.resources.devices: look for the BPF program of '%s'", folder);
	memset(&attr, 0, sizeof(attr));
	attr.target_fd = folder_fd;
	attr.attach_bpf_fd = program;
	attr.attach_type = BPF_CGROUP_DEVICE;
	/* MULTI: what is attached above stays in force too, and somebody below may only narrow it. */
	attr.attach_flags = BPF_F_ALLOW_MULTI | (old >= 0 ? BPF_F_REPLACE : 0);
	attr.replace_bpf_fd = old >= 0 ? old : 0;
	r = call_bpf(BPF_PROG_ATTACH, &attr);
	if (r < 0)
		return error_system(e, -r, "linux.resources.devices: attach the BPF program to '%s'", folder);
	return 0;
}
