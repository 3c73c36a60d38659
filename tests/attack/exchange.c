/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exchange A B [A B]...: swaps A and B (RENAME_EXCHANGE) as fast as it can until it is killed: what a neighbour does who
 * shares a folder with a container that is being started.  Prints "ready" after the first round.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>

int main(int argc, char **argv)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (argc < 3 || argc % 2 == 0)
		return 2;
	for (int i = 1; i + 1 < argc; i += 2)
		if (renameat2(AT_FDCWD, argv[i], AT_FDCWD, argv[i + 1], RENAME_EXCHANGE)) {
			perror(argv[i]);
			return 1;
		}
	puts("ready");
	fflush(stdout);
	for (;;)
		for (int i = 1; i + 1 < argc; i += 2)
			renameat2(AT_FDCWD, argv[i], AT_FDCWD, argv[i + 1], RENAME_EXCHANGE);
}
