/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The OCI's rules that need more than one field, or more than a type, and no look at the host.  One check per object;
 * the tables name them and the walker calls them when the object's fields are decoded.  Base is the object's struct.  A
 * check may also finish the struct: unfold options, drop duplicates.
 */
#ifndef HOLM_SPEC_VALIDATE_H
#define HOLM_SPEC_VALIDATE_H

#include "spec/table.h"

int check_process(struct walker *w, const struct step *step, void *base);
int check_rlimit(struct walker *w, const struct step *step, void *base);
int check_scheduler(struct walker *w, const struct step *step, void *base);
int check_affinity(struct walker *w, const struct step *step, void *base);
int check_mount(struct walker *w, const struct step *step, void *base);
int check_hook(struct walker *w, const struct step *step, void *base);
int check_id_map(struct walker *w, const struct step *step, void *base);
int check_annotation(struct walker *w, const struct step *step, void *base);
int check_document(struct walker *w, const struct step *step, void *base);

int check_linux(struct walker *w, const struct step *step, void *base);
int check_device(struct walker *w, const struct step *step, void *base);
int check_net_device(struct walker *w, const struct step *step, void *base);
int check_memory_policy(struct walker *w, const struct step *step, void *base);
int check_rdt(struct walker *w, const struct step *step, void *base);
int check_sysctl(struct walker *w, const struct step *step, void *base);

int check_seccomp(struct walker *w, const struct step *step, void *base);
int check_seccomp_rule(struct walker *w, const struct step *step, void *base);

int check_resources(struct walker *w, const struct step *step, void *base);
int check_weight_device(struct walker *w, const struct step *step, void *base);
int check_rdma(struct walker *w, const struct step *step, void *base);
int check_unified(struct walker *w, const struct step *step, void *base);

int check_holm(struct walker *w, const struct step *step, void *base);

/* "0-3,7", also with strides "0-31:1/2": what the kernel's list parser takes.  No blanks, no newline. */
bool is_list(const char *s);

/* A namespaced sysctl: the namespace it belongs to, or -EINVAL.  key has dots (spec.h). */
int sysctl_namespace(const char *key, unsigned *ret) must_check;

#endif
