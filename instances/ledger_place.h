/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ledger's columns, and where it is in a run: what instances/shared.h holds of it (instances/ledger.h).
 */
#ifndef HOLM_INSTANCES_LEDGER_PLACE_H
#define HOLM_INSTANCES_LEDGER_PLACE_H

#include <stdint.h>

enum ledger_column {
	LEDGER_RUN,	/* ns that it ran */
	LEDGER_CPU,	/* ns */
	LEDGER_MEMORY,	/* byte-seconds */
	LEDGER_DISK,	/* byte-seconds of what it keeps on the disk */
	LEDGER_READ,	/* bytes */
	LEDGER_WRITTEN, /* bytes */
	LEDGER_NET_IN,	/* bytes from its own network */
	LEDGER_NET_OUT,
	LEDGER_LAN_IN, /* routed by the host: private addresses */
	LEDGER_LAN_OUT,
	LEDGER_WAN_IN, /* all others */
	LEDGER_WAN_OUT,
	_LEDGER_N
};

/* Where the counters of the run that goes on were when the last line was written. */
struct ledger_place {
	uint64_t time;	 /* ns of CLOCK_BOOTTIME; 0: no line yet */
	uint64_t memory; /* bytes in use then */
	uint64_t disk;	 /* bytes, when it was measured last */
	uint32_t ticks, measured;
	uint64_t counters[_LEDGER_N];
};

#endif
