# SPDX-License-Identifier: GPL-2.0-or-later
# holm: one non-recursive makefile.  Objects under build/; CFLAGS, CPPFLAGS and LDFLAGS are the user's.
all:
