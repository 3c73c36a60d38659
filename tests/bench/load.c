/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loads for measuring limits: what behaves well and is measured, and what misbehaves beside it.
 *
 *   load turns matrix|fft|memory CPU  on that CPU: for every byte on standard input one turn of work, a few milliseconds;
 *                                     prints its CPU time in nanoseconds
 *   load service SECONDS              wakes every millisecond, works a little; prints how many per second, and the
 *                                     median and 99th percentile of how late each was done, in microseconds
 *   load write FILE BYTES             direct writes; prints bytes per second
 *   load spin N                       N busy processes
 *   load eat                          takes memory until it is killed, again and again
 *   load fork                         forks without end
 *   load disk FILE                    writes and syncs without end
 *   load send|receive                 floods its loopback with datagrams, or a stream
 */
#include <alloca.h>
#include <err.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MATRIX = 96, FFT = 4096, STREAM = 4 << 20, BLOCK = 1 << 20, SAMPLES = 1 << 20 };

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* ---- work: each call is one unit ---- */

/* In huge pages where there are some: which small pages a process got decides how well its caches work. */
static void *numbers(size_t n)
{
	size_t huge = 2 << 20, size = (n * sizeof(double) + huge - 1) / huge * huge;
	void *ret = aligned_alloc(huge, size);
	if (!ret)
		err(1, "memory");
	madvise(ret, size, MADV_HUGEPAGE);
	return memset(ret, 1, size);
}

static double work_matrix(void)
{
	static double(*a)[MATRIX], (*b)[MATRIX], (*c)[MATRIX];
	if (!a) {
		a = numbers(3 * MATRIX * MATRIX);
		b = a + MATRIX;
		c = b + MATRIX;
	}
	for (int i = 0; i < MATRIX; i++)
		for (int k = 0; k < MATRIX; k++) {
			double x = a[i][k] + i - k;
			for (int j = 0; j < MATRIX; j++)
				c[i][j] += x * (b[k][j] + j);
		}
	return c[1][2];
}

static double work_fft(void)
{
	static double *re, *im;
	if (!re) {
		re = numbers(2 * FFT);
		im = re + FFT;
	}
	for (int i = 0; i < FFT; i++) {
		re[i] = i % 17;
		im[i] = 0;
	}
	for (int size = FFT; size > 1; size /= 2)
		for (int j = 0; j < size / 2; j++) {
			double angle = -2 * M_PI * j / size, wr = cos(angle), wi = sin(angle);
			for (int i = j; i < FFT; i += size) {
				int k = i + size / 2;
				double r = re[i] - re[k], m = im[i] - im[k];
				re[i] += re[k];
				im[i] += im[k];
				re[k] = r * wr - m * wi;
				im[k] = r * wi + m * wr;
			}
		}
	return re[1];
}

static double work_memory(void)
{
	static double *a, *b, *c;
	if (!a) {
		a = numbers(STREAM);
		b = numbers(STREAM);
		c = numbers(STREAM);
	}
	for (int i = 0; i < STREAM; i++)
		a[i] = b[i] + 3 * c[i];
	return a[STREAM / 2];
}

static const struct {
	const char *name;
	double (*work)(void);
	int times; /* in one turn */
} works[] = {{"matrix", work_matrix, 12}, {"fft", work_fft, 16}, {"memory", work_memory, 1}};

/* At the same place in a page of the stack in every process: else what lies on it gets in the way of the numbers here and there. */
static __attribute__((noinline)) double work_in_place(double (*work)(void))
{
	volatile char *room = alloca(((uintptr_t)__builtin_frame_address(0) & 4095) + 1);
	room[0] = 0;
	return work();
}

static long cpu_time(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

static void take_turns(const char *name, int cpu)
{
	cpu_set_t set;
	double sink = 0;
	size_t k = 0;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		err(1, "CPU %d", cpu);
	while (k < sizeof(works) / sizeof(*works) && strcmp(works[k].name, name))
		k++;
	if (k == sizeof(works) / sizeof(*works))
		errx(2, "no work '%s'", name);
	for (int i = 0; i < 2 * works[k].times; i++) /* warm */
		sink += work_in_place(works[k].work);
	while (getchar() != EOF) {
		long begin = cpu_time();
		for (int i = 0; i < works[k].times; i++)
			sink += work_in_place(works[k].work);
		printf("%ld\n", cpu_time() - begin);
	}
	if (isnan(sink)) /* else nobody would need the work */
		errx(1, "the work went wrong");
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void serve(double seconds)
{
	static double late[SAMPLES];
	double begin = now(), due = begin;
	int n = 0;
	while (now() - begin < seconds && n < SAMPLES) {
		volatile double x = 1;
		struct timespec t;
		due += 0.001;
		if (due < now()) /* what was missed is not caught up with */
			due = now();
		t.tv_sec = (time_t)due;
		t.tv_nsec = (long)((due - (double)t.tv_sec) * 1e9);
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
		for (int i = 0; i < 20000; i++)
			x = x * 1.0000001 + 1e-9;
		late[n++] = (now() - due) * 1e6;
	}
	seconds = now() - begin;
	qsort(late, n, sizeof(*late), by_size);
	printf("%.1f %.1f %.1f\n", n / seconds, late[n / 2], late[n * 99 / 100]);
}

static void write_file(const char *path, long bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_DIRECT, 0600);
	void *block = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	double begin = now();
	if (fd < 0 || block == MAP_FAILED)
		err(1, "%s", path);
	for (long n = 0; n < bytes; n += BLOCK)
		if (write(fd, block, BLOCK) != BLOCK)
			err(1, "%s", path);
	printf("%.0f\n", bytes / (now() - begin));
	unlink(path);
}

/* ---- misbehaviour ---- */

static void spin(int n)
{
	while (--n > 0 && fork() > 0)
		;
	for (;;)
		;
}

static void eat(void)
{
	for (;;) {
		if (!fork())
			for (;;) {
				char *p = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
				if (p == MAP_FAILED)
					_exit(1);
				memset(p, 1, BLOCK);
			}
		wait(NULL);
	}
}

static void fork_bomb(void)
{
	signal(SIGCHLD, SIG_IGN);
	for (;;)
		fork();
}

static void fill_disk(const char *path)
{
	static char block[BLOCK];
	for (;;) {
		int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		if (fd < 0)
			err(1, "%s", path);
		for (int i = 0; i < 64; i++) {
			if (write(fd, block, BLOCK) != BLOCK)
				break;
			fdatasync(fd);
		}
		close(fd);
	}
}

static void flood(int type)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(to);
	static char data[32768];
	int in = socket(AF_INET, type, 0), out = socket(AF_INET, type, 0);
	if (bind(in, (struct sockaddr *)&to, sizeof(to)) || getsockname(in, (struct sockaddr *)&to, &size) ||
	    (type == SOCK_STREAM && listen(in, 1)) || connect(out, (struct sockaddr *)&to, sizeof(to)))
		err(1, "loopback");
	if (type == SOCK_STREAM)
		in = accept(in, NULL, NULL);
	if (!fork())
		while (recv(in, data, sizeof(data), 0) >= 0)
			;
	for (;;)
		(void)!send(out, data, type == SOCK_STREAM ? sizeof(data) : 1400, 0);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "", *first = argc > 2 ? argv[2] : "1";
	setvbuf(stdout, NULL, _IOLBF, 0);
	setvbuf(stdin, NULL, _IONBF, 0);
	if (!strcmp(what, "turns") && argc == 4)
		take_turns(first, atoi(argv[3]));
	else if (!strcmp(what, "service"))
		serve(atof(first));
	else if (!strcmp(what, "write") && argc == 4)
		write_file(first, atol(argv[3]));
	else if (!strcmp(what, "spin"))
		spin(atoi(first));
	else if (!strcmp(what, "eat"))
		eat();
	else if (!strcmp(what, "fork"))
		fork_bomb();
	else if (!strcmp(what, "disk") && argc == 3)
		fill_disk(first);
	else if (!strcmp(what, "send"))
		flood(SOCK_DGRAM);
	else if (!strcmp(what, "receive"))
		flood(SOCK_STREAM);
	else
		errx(2, "not understood: %s", what);
	return 0;
}
