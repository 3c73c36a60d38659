/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/seccomp.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/audit.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "spec/names.h"

#define CACHE_DIRECTORY ":seccomp" /* no container's id */

enum {
	CACHE_FORMAT = 1, /* of the file and of what compile() makes: a change of either is a new number */
	CACHE_MAX_ENTRIES = 64,
	CACHE_MAX_SIZE = 4 << 20,
	MANY_RULES = 32, /* from here on a binary tree pays; libseccomp up to 2.5.4 makes a wrong one of no rules */
	MAX_ARCHITECTURES = 32,
	X32_BIT = 0x40000000,
};

/* ---- the actions ---- */

static bool action_has_errno(uint32_t action)
{
	return action == SECCOMP_RET_ERRNO || action == SECCOMP_RET_TRACE;
}

/* SECCOMP_RET_... and SCMP_ACT_... are the same numbers. */
static uint32_t make_action(uint32_t action, bool has_errno, uint32_t errno_ret)
{
	return action_has_errno(action) ? action | ((has_errno ? errno_ret : EPERM) & SECCOMP_RET_DATA) : action;
}

static uint32_t default_action(const struct spec_seccomp *seccomp)
{
	return make_action(seccomp->default_action, seccomp->has_default_errno, seccomp->default_errno);
}

static uint32_t rule_action(const struct spec_seccomp_rule *rule)
{
	return make_action(rule->action, rule->has_errno, rule->errno_ret);
}

/* A tracer is expected to let pass what it does not know. */
static bool default_denies(const struct spec_seccomp *seccomp)
{
	return seccomp->default_action != SECCOMP_RET_ALLOW && seccomp->default_action != SECCOMP_RET_LOG &&
	       seccomp->default_action != SECCOMP_RET_TRACE;
}

/* ---- flags of seccomp(2): not part of the program, so not of the cache ---- */

static bool wants_listener(const struct spec_seccomp *seccomp)
{
	for (size_t i = 0; i < seccomp->n_rules; i++)
		if (seccomp->rules[i].action == SECCOMP_RET_USER_NOTIF)
			return true;
	return seccomp->default_action == SECCOMP_RET_USER_NOTIF;
}

/* With no filter at all the kernel answers EFAULT when it knows the flags, EINVAL when not. */
static bool kernel_has_flags(unsigned flags)
{
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, NULL) == 0 || errno != EINVAL;
}

static int resolve_flags(const struct spec_seccomp *seccomp, bool listener, unsigned *ret, struct error *e)
{
	unsigned flags = seccomp->has_flags ? 0 : SECCOMP_FILTER_FLAG_SPEC_ALLOW;

	for (size_t i = 0; i < seccomp->n_flags; i++) {
		uint64_t flag;

		if (names_find(&names_seccomp_flags, seccomp->flags[i], &flag))
			return error_refuse(e, ERROR_INVALID, "linux.seccomp.flags[%zu]: unknown flag '%s'", i,
					    seccomp->flags[i]);
		flags |= flag;
	}
	/* It speaks of the listener's answers: without a listener it means nothing and the kernel refuses it. */
	if (!listener)
		flags &= ~SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	else if (flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV &&
		 !kernel_has_flags(SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV))
		return error_refuse(e, ERROR_UNSUPPORTED,
				    "linux.seccomp.flags: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV needs Linux 5.19");
	if (listener)
		flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
	/* Both return a number, so the kernel takes the two together only when a failed sync is an errno. */
	if (listener && flags & SECCOMP_FILTER_FLAG_TSYNC)
		flags |= SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
	*ret = flags;
	return 0;
}

/* ---- compiling ---- */

struct compiler {
	const struct spec_seccomp *spec;
	scmp_filter_ctx context;
	uint32_t architectures[MAX_ARCHITECTURES]; /* the native one first */
	size_t n_architectures, n_rules;
};

static void release_context(scmp_filter_ctx *context)
{
	if (*context)
		seccomp_release(*context);
}

/* "SCMP_ARCH_X86_64" -> libseccomp's token, 0 when this libseccomp has none. */
static uint32_t resolve_architecture(const char *name)
{
	const char *rest = str_after(name, "SCMP_ARCH_");
	char lower[32];
	size_t n = 0;

	if (!rest || strlen(rest) >= sizeof(lower))
		return 0;
	for (; rest[n]; n++)
		lower[n] = tolower((unsigned char)rest[n]);
	lower[n] = 0;
	return seccomp_arch_resolve_name(lower);
}

/*
 * An architecture that this libseccomp does not know, or of the other byte order, is one that this kernel can't run:
 * its calls meet the action for foreign architectures, which kills.
 */
static int add_architectures(struct compiler *compiler, struct error *e)
{
	const struct spec_seccomp *spec = compiler->spec;

	compiler->architectures[0] = seccomp_arch_native();
	compiler->n_architectures = 1;
	for (size_t i = 0; i < spec->n_architectures && compiler->n_architectures < MAX_ARCHITECTURES; i++) {
		uint32_t token = resolve_architecture(spec->architectures[i]);
		int r = token ? seccomp_arch_add(compiler->context, token) : -EDOM;

		if (r == -EDOM)
			log_debug("linux.seccomp.architectures[%zu]: '%s' can't run here", i, spec->architectures[i]);
		else if (r && r != -EEXIST)
			return error_system(e, -r, "linux.seccomp.architectures[%zu]: '%s'", i, spec->architectures[i]);
		else if (!r)
			compiler->architectures[compiler->n_architectures++] = token;
	}
	return 0;
}

static bool tests_argument_twice(const struct spec_seccomp_rule *rule)
{
	unsigned seen = 0;

	for (size_t i = 0; i < rule->n_args; i++) {
		if (seen & 1u << rule->args[i].index)
			return true;
		seen |= 1u << rule->args[i].index;
	}
	return false;
}

static int add_rule(struct compiler *compiler, uint32_t action, int number, const struct spec_seccomp_arg *args,
		    size_t n)
{
	struct scmp_arg_cmp tests[6];

	for (size_t i = 0; i < n; i++)
		tests[i] = (struct scmp_arg_cmp){.arg = args[i].index,
						 .op = (enum scmp_compare)args[i].op,
						 .datum_a = args[i].value,
						 .datum_b = args[i].value_two};
	compiler->n_rules++;
	return seccomp_rule_add_array(compiler->context, action, number, n, tests);
}

static int add_name(struct compiler *compiler, const struct spec_seccomp_rule *rule, const char *name)
{
	int number = seccomp_syscall_resolve_name(name), r = 0;

	if (number == __NR_SCMP_ERROR) {
		log_debug("linux.seccomp: the system call '%s' is not known to libseccomp", name);
		return 0;
	}
	if (!tests_argument_twice(rule))
		return add_rule(compiler, rule_action(rule), number, rule->args, rule->n_args);
	for (size_t i = 0; i < rule->n_args && !r; i++)
		r = add_rule(compiler, rule_action(rule), number, &rule->args[i], 1);
	return r;
}

static int add_rules(struct compiler *compiler, struct error *e)
{
	const struct spec_seccomp *spec = compiler->spec;

	for (size_t i = 0; i < spec->n_rules; i++) {
		const struct spec_seccomp_rule *rule = &spec->rules[i];

		if (rule_action(rule) == default_action(spec))
			continue;
		for (size_t k = 0; k < rule->n_names; k++) {
			int r = add_name(compiler, rule, rule->names[k]);

			if (r == -EEXIST)
				return error_refuse(
				    e, ERROR_INVALID,
				    "linux.seccomp.syscalls[%zu].names[%zu]: '%s' has another action in an "
				    "earlier rule with the same arguments",
				    i, k, rule->names[k]);
			if (r)
				return error_system(e, -r, "linux.seccomp.syscalls[%zu].names[%zu]: '%s'", i, k,
						    rule->names[k]);
		}
	}
	return 0;
}

/* See the header: the profile rules on clone, does not know clone3, and would be walked around or break programs. */
static bool hides_clone3(const struct spec_seccomp *spec)
{
	bool hides = false;

	for (size_t i = 0; i < spec->n_rules; i++)
		for (size_t k = 0; k < spec->rules[i].n_names; k++) {
			if (str_equal(spec->rules[i].names[k], "clone3"))
				return false;
			if (str_equal(spec->rules[i].names[k], "clone") &&
			    (spec->rules[i].n_args || default_denies(spec)))
				hides = true;
		}
	return hides && default_action(spec) != SCMP_ACT_ERRNO(ENOSYS);
}

static int add_clone3(struct compiler *compiler, struct error *e)
{
	int r = hides_clone3(compiler->spec)
		    ? add_rule(compiler, SCMP_ACT_ERRNO(ENOSYS), seccomp_syscall_resolve_name("clone3"), NULL, 0)
		    : 0;

	return r ? error_system(e, -r, "linux.seccomp: add a rule for clone3") : 0;
}

/* The program as libseccomp makes it; its 2.5 can write it only to a descriptor. */
static int export_program(struct compiler *compiler, struct arena *arena, struct sock_filter **ret, size_t *ret_n,
			  struct error *e)
{
	auto_fd fd = memfd_create("seccomp", MFD_CLOEXEC);
	off_t size;
	int r;

	if (fd < 0)
		return error_system(e, errno, "memfd_create");
	r = seccomp_export_bpf(compiler->context, fd);
	if (r)
		return error_system(e, -r, "linux.seccomp: compile");
	size = lseek(fd, 0, SEEK_CUR);
	if (size <= 0 || size % sizeof(struct sock_filter))
		return error_bug(e, "linux.seccomp: libseccomp wrote %lld bytes", (long long)size);
	*ret = arena_alloc(arena, size);
	*ret_n = size / sizeof(struct sock_filter);
	return pread(fd, *ret, size, 0) == size ? 0 : error_system(e, EIO, "linux.seccomp: read the program");
}

/* ---- the prologue: ENOSYS for what is newer than the profile ---- */

/* The highest number that the profile names on architecture, -1 when it names none. */
static int64_t newest_call(const struct spec_seccomp *spec, uint32_t architecture)
{
	int64_t newest = -1;

	for (size_t i = 0; i < spec->n_rules; i++)
		for (size_t k = 0; k < spec->rules[i].n_names; k++) {
			int number = seccomp_syscall_resolve_name_arch(architecture, spec->rules[i].names[k]);

			if (number > newest)
				newest = number;
		}
	return newest;
}

struct prologue {
	struct sock_filter code[MAX_ARCHITECTURES * 10];
	size_t n;
};

static void emit(struct prologue *prologue, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
	prologue->code[prologue->n++] = (struct sock_filter){.code = code, .jt = jt, .jf = jf, .k = k};
}

enum { TO_PROFILE = UINT16_MAX }; /* a jump that close_prologue() aims */

static void emit_limit(struct prologue *prologue, int64_t newest)
{
	if (newest >= 0) {
		emit(prologue, BPF_JMP | BPF_JGT | BPF_K, 0, 1, newest);
		emit(prologue, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | ENOSYS);
	}
	emit(prologue, BPF_JMP | BPF_JA, 0, 0, TO_PROFILE);
}

/*
 * For one architecture:       load arch; if it is another: next section
 *                             load nr; if nr > newest: return ENOSYS; go to the profile
 * x32 shares its audit architecture with x86-64 and sets a bit in nr; if the profile does not list it, the profile's
 * own answer for foreign architectures is left to it.
 */
static void emit_section(struct prologue *prologue, const struct spec_seccomp *spec, uint32_t architecture,
			 bool has_x32)
{
	bool split = architecture == SCMP_ARCH_X86_64;
	size_t skip;

	emit(prologue, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
	skip = prologue->n;
	emit(prologue, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, architecture);
	emit(prologue, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
	if (split) {
		size_t fork = prologue->n;

		emit(prologue, BPF_JMP | BPF_JGE | BPF_K, 0, 0, X32_BIT);
		emit_limit(prologue, newest_call(spec, architecture));
		prologue->code[fork].jt = prologue->n - fork - 1;
	}
	if (!split)
		emit_limit(prologue, newest_call(spec, architecture));
	else {
		int64_t newest = has_x32 ? newest_call(spec, SCMP_ARCH_X32) : -1;

		emit_limit(prologue, newest < 0 ? -1 : newest | X32_BIT);
	}
	prologue->code[skip].jf = prologue->n - skip - 1;
}

static void close_prologue(struct prologue *prologue)
{
	for (size_t i = 0; i < prologue->n; i++)
		if (prologue->code[i].code == (BPF_JMP | BPF_JA) && prologue->code[i].k == TO_PROFILE)
			prologue->code[i].k = prologue->n - i - 1;
}

static void make_prologue(const struct compiler *compiler, struct prologue *prologue)
{
	bool has_x32 = false;

	prologue->n = 0;
	if (!default_denies(compiler->spec) || default_action(compiler->spec) == SCMP_ACT_ERRNO(ENOSYS))
		return;
	for (size_t i = 0; i < compiler->n_architectures; i++)
		has_x32 |= compiler->architectures[i] == SCMP_ARCH_X32;
	for (size_t i = 0; i < compiler->n_architectures; i++)
		if (compiler->architectures[i] != SCMP_ARCH_X32)
			emit_section(prologue, compiler->spec, compiler->architectures[i], has_x32);
	close_prologue(prologue);
}

static int compile(const struct spec_seccomp *spec, struct arena *arena, struct seccomp_program *ret, struct error *e)
{
	__attribute__((cleanup(release_context))) scmp_filter_ctx context = seccomp_init(default_action(spec));
	struct compiler compiler = {.spec = spec, .context = context};
	struct sock_filter *program = NULL, *whole;
	struct prologue prologue;
	size_t n = 0;
	int r;

	if (!context)
		return error_refuse(e, ERROR_INVALID, "linux.seccomp.defaultAction: libseccomp refuses it");
	r = add_architectures(&compiler, e);
	if (!r)
		r = add_rules(&compiler, e);
	if (!r)
		r = add_clone3(&compiler, e);
	if (r)
		return r;
	if (compiler.n_rules > MANY_RULES && (r = seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2)))
		return error_system(e, -r, "linux.seccomp: ask for a binary tree");
	r = export_program(&compiler, arena, &program, &n, e);
	if (r)
		return r;
	make_prologue(&compiler, &prologue);
	if (n + prologue.n > BPF_MAXINSNS)
		return error_refuse(e, ERROR_LIMIT,
				    "linux.seccomp: the program has %zu instructions, the kernel takes %d",
				    n + prologue.n, BPF_MAXINSNS);
	whole = arena_array(arena, struct sock_filter, prologue.n + n);
	memcpy(whole, prologue.code, prologue.n * sizeof(*whole));
	memcpy(whole + prologue.n, program, n * sizeof(*whole));
	ret->filter = whole;
	ret->n = prologue.n + n;
	return 0;
}

/* ---- project ids ---- */

enum { FILE_SETATTR = 469, SETFLAGS_32 = 0x40046602 /* FS_IOC32_SETFLAGS */ };

static const struct {
	uint32_t audit, architecture; /* the kernel's, libseccomp's */
	uint32_t bit;		      /* in every number */
} guarded[] = {
#if defined(__x86_64__)
    {AUDIT_ARCH_X86_64, SCMP_ARCH_X86_64, 0},
    {AUDIT_ARCH_X86_64, SCMP_ARCH_X32, X32_BIT},
    {AUDIT_ARCH_I386, SCMP_ARCH_X86, 0},
#elif defined(__aarch64__)
    {AUDIT_ARCH_AARCH64, SCMP_ARCH_AARCH64, 0},
    {AUDIT_ARCH_ARM, SCMP_ARCH_ARM, 0},
#endif
};

/* Jumps count what they leave out; 11 instructions on is the next architecture. */
static void emit_guard(struct prologue *prologue, size_t i)
{
	uint32_t number = seccomp_syscall_resolve_name_arch(guarded[i].architecture, "ioctl") | guarded[i].bit;

	emit(prologue, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
	emit(prologue, BPF_JMP | BPF_JEQ | BPF_K, 0, 9, guarded[i].audit);
	emit(prologue, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
	emit(prologue, BPF_JMP | BPF_JEQ | BPF_K, 6, 0, FILE_SETATTR | guarded[i].bit);
	emit(prologue, BPF_JMP | BPF_JEQ | BPF_K, 0, 6, number);
	emit(prologue, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, args[1])); /* the low half */
	emit(prologue, BPF_JMP | BPF_JEQ | BPF_K, 2, 0, FS_IOC_FSSETXATTR);
	emit(prologue, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, FS_IOC_SETFLAGS);
	emit(prologue, BPF_JMP | BPF_JEQ | BPF_K, 0, 2, SETFLAGS_32);
	emit(prologue, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EOPNOTSUPP);
	emit(prologue, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | ENOSYS);
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the low half comes first");

int seccomp_guard_projects(struct seccomp_program *program, struct arena *arena, struct error *e)
{
	struct sock_filter *whole;
	struct prologue prologue;

	prologue.n = 0;
	for (size_t i = 0; i < ARRAY_SIZE(guarded); i++)
		emit_guard(&prologue, i);
	if (!program->n) {
		program->flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW;
		emit(&prologue, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
	}
	if (prologue.n + program->n > BPF_MAXINSNS)
		return error_refuse(
		    e, ERROR_LIMIT,
		    "linux.seccomp: the program has %u instructions, which with %zu that keep project ids "
		    "is more than the kernel takes",
		    program->n, prologue.n);
	whole = arena_array(arena, struct sock_filter, prologue.n + program->n);
	memcpy(whole, prologue.code, prologue.n * sizeof(*whole));
	if (program->n)
		memcpy(whole + prologue.n, program->filter, program->n * sizeof(*whole));
	program->filter = whole;
	program->n += prologue.n;
	return 0;
}

/* ---- the cache ---- */

struct cache_header {
	char magic[8];
	uint64_t key_size, n_instructions;
	uint64_t checksum; /* of the instructions */
};

static const char cache_magic[8] = "holmscmp";

/* Eight bytes at a time; it only has to spread, an equal hash proves nothing here. */
static uint64_t hash_bytes(const void *data, size_t size)
{
	const char *p = data;
	uint64_t h = 0x9e3779b97f4a7c15 ^ size, word;

	for (; size >= sizeof(word); p += sizeof(word), size -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		h = (h ^ word) * 0xff51afd7ed558ccd;
		h ^= h >> 32;
	}
	word = 0;
	memcpy(&word, p, size);
	h = (h ^ word) * 0xc4ceb9fe1a85ec53;
	return h ^ h >> 29;
}

static void key_add_number(struct str *key, uint64_t value)
{
	str_add_bytes(key, &value, sizeof(value));
}

static void key_add_string(struct str *key, const char *text)
{
	size_t n = strlen(text);

	key_add_number(key, n);
	str_add_bytes(key, text, n);
}

static void key_add_rule(struct str *key, const struct spec_seccomp_rule *rule)
{
	key_add_number(key, rule_action(rule));
	key_add_number(key, rule->n_names);
	for (size_t i = 0; i < rule->n_names; i++)
		key_add_string(key, rule->names[i]);
	key_add_number(key, rule->n_args);
	for (size_t i = 0; i < rule->n_args; i++) {
		key_add_number(key, rule->args[i].index);
		key_add_number(key, rule->args[i].op);
		key_add_number(key, rule->args[i].value);
		key_add_number(key, rule->args[i].value_two);
	}
}

/* All that compile() looks at.  Every list goes with its length, so two different profiles never give the same bytes.
 */
static void make_key(const struct spec_seccomp *spec, struct str *key)
{
	const struct scmp_version *version = seccomp_version();

	key_add_number(key, CACHE_FORMAT);
	key_add_number(key, (uint64_t)version->major << 40 | (uint64_t)version->minor << 20 | version->micro);
	key_add_number(key, seccomp_arch_native());
	key_add_number(key, default_action(spec));
	key_add_number(key, spec->n_architectures);
	for (size_t i = 0; i < spec->n_architectures; i++)
		key_add_string(key, spec->architectures[i]);
	key_add_number(key, spec->n_rules);
	for (size_t i = 0; i < spec->n_rules; i++)
		key_add_rule(key, &spec->rules[i]);
}

/* Nobody but us can have written it. */
static bool is_ours(int fd, mode_t type, struct stat *ret)
{
	return !fstat(fd, ret) && (ret->st_mode & S_IFMT) == type && ret->st_uid == geteuid() &&
	       !(ret->st_mode & (S_IWGRP | S_IWOTH));
}

static int read_exactly(int fd, void *data, size_t size)
{
	char *p = data;

	while (size) {
		ssize_t n = read(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		p += n;
		size -= n;
	}
	return 0;
}

/* 0, -ENOENT, or another errno for a file that is not to be believed. */
static int cache_load(int root_fd, const char *name, const struct str *key, struct arena *arena,
		      struct seccomp_program *ret)
{
	auto_fd directory = -1, file = -1;
	struct cache_header header;
	struct stat st;
	char *data;
	size_t program_size;
	int r;

	directory = openat(root_fd, CACHE_DIRECTORY, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (directory < 0)
		return -errno;
	if (!is_ours(directory, S_IFDIR, &st))
		return -EPERM;
	file = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (file < 0)
		return -errno;
	if (!is_ours(file, S_IFREG, &st))
		return -EPERM;
	if (st.st_size < (off_t)sizeof(header) || st.st_size > CACHE_MAX_SIZE)
		return -EBADMSG;
	data = arena_alloc(arena, st.st_size);
	r = read_exactly(file, data, st.st_size);
	if (r)
		return r;
	memcpy(&header, data, sizeof(header));
	if (memcmp(header.magic, cache_magic, sizeof(cache_magic)) || header.key_size != key->size ||
	    !header.n_instructions || header.n_instructions > BPF_MAXINSNS)
		return -EBADMSG;
	program_size = header.n_instructions * sizeof(struct sock_filter);
	if (sizeof(header) + program_size + key->size != (size_t)st.st_size ||
	    memcmp(data + sizeof(header) + program_size, key->data, key->size) ||
	    hash_bytes(data + sizeof(header), program_size) != header.checksum)
		return -EBADMSG;
	ret->filter = (const struct sock_filter *)(data + sizeof(header));
	ret->n = header.n_instructions;
	return 0;
}

/* Removes the oldest entry if there are as many as may stay.  True if it did: there may be more. */
static bool cache_evict(int directory)
{
	__attribute__((cleanup(free_p))) char *oldest = NULL;
	struct timespec oldest_time = {0};
	unsigned n = 0;
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		fd_close(fd);
		return false;
	}
	while ((entry = readdir(dir))) {
		struct stat st;

		if (entry->d_name[0] == '.' || fstatat(directory, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		n++;
		if (oldest && (st.st_mtim.tv_sec > oldest_time.tv_sec ||
			       (st.st_mtim.tv_sec == oldest_time.tv_sec && st.st_mtim.tv_nsec >= oldest_time.tv_nsec)))
			continue;
		free(oldest);
		oldest = strdup(entry->d_name);
		oldest_time = st.st_mtim;
	}
	closedir(dir);
	return n >= CACHE_MAX_ENTRIES && oldest && !unlinkat(directory, oldest, 0);
}

static int cache_store(int root_fd, const char *name, const struct str *key, const struct seccomp_program *program)
{
	size_t size = program->n * sizeof(struct sock_filter);
	struct cache_header header = {
	    .key_size = key->size,
	    .n_instructions = program->n,
	    .checksum = hash_bytes(program->filter, size),
	};
	auto_fd directory = -1, file = -1;
	char self[32];
	struct stat st;
	int r;

	memcpy(header.magic, cache_magic, sizeof(cache_magic));
	if (mkdirat(root_fd, CACHE_DIRECTORY, 0700) < 0 && errno != EEXIST)
		return -errno;
	directory = openat(root_fd, CACHE_DIRECTORY, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (directory < 0)
		return -errno;
	if (!is_ours(directory, S_IFDIR, &st))
		return -EPERM;
	while (cache_evict(directory))
		;
	file = openat(directory, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
	if (file < 0)
		return -errno;
	r = fd_write_all(file, &header, sizeof(header));
	if (!r)
		r = fd_write_all(file, program->filter, size);
	if (!r)
		r = fd_write_all(file, key->data, key->size);
	if (r)
		return r;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", file);
	if (linkat(AT_FDCWD, self, directory, name, AT_SYMLINK_FOLLOW) == 0)
		return 0;
	/* Another start was faster, or what is there was not to be believed. */
	if (errno != EEXIST || unlinkat(directory, name, 0) < 0)
		return -errno;
	return linkat(AT_FDCWD, self, directory, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

int seccomp_prepare(const struct spec_seccomp *seccomp, int root_fd, struct arena *arena, struct seccomp_program *ret,
		    struct error *e)
{
	struct seccomp_program program = {.listener = wants_listener(seccomp)};
	auto_str key = STR_INIT;
	char name[20];
	int r;

	r = resolve_flags(seccomp, program.listener, &program.flags, e);
	if (r)
		return r;
	if (root_fd >= 0) {
		make_key(seccomp, &key);
		snprintf(name, sizeof(name), "%016" PRIx64, hash_bytes(key.data, key.size));
		program.cached = !cache_load(root_fd, name, &key, arena, &program);
	}
	if (!program.cached) {
		r = compile(seccomp, arena, &program, e);
		if (r)
			return r;
		r = root_fd >= 0 ? cache_store(root_fd, name, &key, &program) : 0;
		if (r)
			log_debug("seccomp cache: %s", strerror(-r));
	}
	*ret = program;
	return 0;
}
