/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns/bpf.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

/* enum bpf_attach_type, as headers from 6.6 on have it; and how many programs a link takes (BPF_MPROG_MAX). */
enum { ARRIVING = 46, LEAVING = 47, PROGRAMS_MAX = 64 };

int bpf_call(int command, union bpf_attr *attr)
{
	int r = syscall(SYS_bpf, command, attr, sizeof(*attr));

	return r < 0 ? -errno : r;
}

static bool has_name(int program, const char *name)
{
	struct bpf_prog_info info = {0};
	union bpf_attr attr = {.info = {.bpf_fd = program, .info_len = sizeof(info), .info = (uintptr_t)&info}};

	return !bpf_call(BPF_OBJ_GET_INFO_BY_FD, &attr) && str_equal(info.name, name);
}

int bpf_tcx_find(int link, bool arriving, const char *name, int *ret)
{
	uint32_t ids[PROGRAMS_MAX];
	union bpf_attr attr = {.query = {
				   .target_fd = link,
				   .attach_type = arriving ? ARRIVING : LEAVING,
				   .prog_ids = (uintptr_t)ids,
				   .prog_cnt = PROGRAMS_MAX,
			       }};
	int r = bpf_call(BPF_PROG_QUERY, &attr);

	if (r < 0)
		return r;
	*ret = -1;
	for (uint32_t i = 0; i < attr.query.prog_cnt && i < PROGRAMS_MAX; i++) {
		union bpf_attr wanted = {.prog_id = ids[i]};
		int program = bpf_call(BPF_PROG_GET_FD_BY_ID, &wanted);

		if (program >= 0 && has_name(program, name)) {
			*ret = program;
			return 0;
		}
		fd_close(program);
	}
	return 0;
}

int bpf_tcx_attach(int link, bool arriving, const char *name, int program)
{
	union bpf_attr attr = {
	    .target_fd = link, .attach_bpf_fd = program, .attach_type = arriving ? ARRIVING : LEAVING};
	auto_fd before = -1;
	int r = bpf_tcx_find(link, arriving, name, &before);

	if (r)
		return r;
	if (before >= 0) {
		attr.attach_flags = BPF_F_REPLACE;
		attr.replace_bpf_fd = before;
	}
	return bpf_call(BPF_PROG_ATTACH, &attr);
}
