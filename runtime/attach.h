/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Foreground `run` and `exec`: signals and terminal relayed to the payload until it ends.
 *
 *   attach_signals()  early, before the payload exists: blocks every signal and makes a signalfd, so that none is lost
 * and none ends holm with the terminal raw.  The payload's own mask is init's business. attach_wait()     relays until
 * the payload ended, reaps it, puts the terminal back.
 *
 * Without a pty the payload has the caller's stdio and nothing is copied: one poll, one waitid.  With a pty: the
 * caller's terminal is raw while it is in front (never touched while holm runs in the background), bytes are relayed
 * both ways with backpressure, what the payload wrote last is drained after its end, the window's size follows, end of
 * file on a stdin that is no terminal becomes the line discipline's end-of-file character.  The descriptors of the
 * caller are never made non-blocking: they are shared with others.
 *
 * Every signal is forwarded but SIGCHLD, SIGWINCH (resizes), SIGURG, a SIGPIPE of our own, and what the caller had ignored
 * (nohup).  On SIGTSTP, with a
 * terminal, holm stops too after forwarding, with the terminal put back.
 */
#ifndef HOLM_RUNTIME_ATTACH_H
#define HOLM_RUNTIME_ATTACH_H

#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/types.h>

#include "base/error.h"

struct attach {
	int pidfd;   /* the payload, a child of the caller and not reaped */
	int signals; /* from attach_signals() */
	int master;  /* the pty's master, which becomes non-blocking; -1: no pty */
	bool reap;   /* the caller is a subreaper: other children are reaped meanwhile */
};

int attach_signals(int *ret_signalfd, struct error *e) must_check;

/* The size of the caller's terminal, if one of its stdio is one. */
bool attach_window_size(struct winsize *ret);

/* *ret_status: 0..255, 128+n when signal n ended it. */
int attach_wait(const struct attach *attach, int *ret_status, struct error *e) must_check;

#endif
