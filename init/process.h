/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The process that becomes the payload: namespaces, identity, limits, and the last steps to execve(2).
 */
#ifndef HOLM_INIT_PROCESS_H
#define HOLM_INIT_PROCESS_H

#include "init/plan.h"

/* ---- one function for each kind of operation: what they do is said there ---- */

void do_join(const struct plan_op *op);
void do_unshare(const struct plan_op *op);
void do_become_root(const struct plan_op *op);
void do_check_maps(const struct plan_op *op);
void do_open_clocks(const struct plan_op *op);
void do_time_offsets(const struct plan_op *op);
void do_cgroups(const struct plan_op *op);
void do_fork(const struct plan_op *op);
void do_tell(const struct plan_op *op);
void do_wait(const struct plan_op *op);
void do_session(const struct plan_op *op);
void do_keyring(const struct plan_op *op);
void do_sysctl(const struct plan_op *op);
void do_hostname(const struct plan_op *op);
void do_domainname(const struct plan_op *op);
void do_loopback(const struct plan_op *op);
void do_rlimit(const struct plan_op *op);
void do_oom_score(const struct plan_op *op);
void do_scheduler(const struct plan_op *op);
void do_io_priority(const struct plan_op *op);
void do_affinity(const struct plan_op *op);
void do_memory_policy(const struct plan_op *op);
void do_personality(const struct plan_op *op);
void do_umask(const struct plan_op *op);
void do_label(const struct plan_op *op);
void do_no_new_privileges(const struct plan_op *op);
void do_user(const struct plan_op *op);
void do_seccomp(const struct plan_op *op);
void do_capabilities(const struct plan_op *op);

/* init/start.c */
void do_find_program(const struct plan_op *op);
void do_start(const struct plan_op *op);
void do_exec(const struct plan_op *op);
void do_quit(const struct plan_op *op);

/* init/hook.c */
void do_hook(const struct plan_op *op);

/* ---- shared among these files ---- */

/* All descriptors but the standard streams and those that the payload was promised go with execve(2). */
void close_on_exec(void);

/* Those of PLAN_CAPABILITIES; NULL: the plan has none. */
const struct plan_capabilities *payload_capabilities(void);

/* Sets the four sets without the rest of PLAN_CAPABILITIES' duties (also for a hook's child). */
void set_capabilities(const struct plan_capabilities *c);

#endif
