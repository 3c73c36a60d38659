/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The OCI features document: what this build understands, not what the host can do.  Made from the decoder's own
 * tables, so that it can't claim an option that is not read.  Sorted where runc sorts; indented by four blanks as
 * runc's.
 *
 * Annotations change nothing in holm: potentiallyUnsafeConfigAnnotations is the empty list, which says just that.
 */
#ifndef HOLM_SPEC_FEATURES_H
#define HOLM_SPEC_FEATURES_H

#include <stdbool.h>

/* What other parts of the build have or have not. */
struct spec_features {
	const char *version;	    /* holm's */
	bool systemd, systemd_user; /* cgroups by systemd's manager, by the user's */
};

/* The document's text, with a newline at the end; the caller frees it. */
char *spec_features(const struct spec_features *features);

#endif
