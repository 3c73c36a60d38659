/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/launch.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "cmd/explain.h"
#include "cmd/output.h"
#include "cmd/verbs.h"
#include "instances/attach.h"
#include "instances/instance.h"
#include "instances/launch.h"
#include "instances/monitor.h"

#define ROW(member, name, letter, type, metavar, help)                                                                 \
	OPTION(struct config_options, member, name, letter, type, metavar, help)
#define ROWS(member, name, letter, metavar, help)                                                                      \
	OPTION_LISTED(struct config_options, member, name, letter, LIST, metavar, help)

/* clang-format off */
static const struct option rows[] = {
    ROW(name, "name", 'n', STRING, "NAME", "its name (one is made up)"),
    ROW(rootfs, "rootfs", 0, STRING, "DIR", "a folder is the root instead of an image; it is not written to"),
    ROW(profile, "profile", 0, STRING, "NAME", "first the options in /etc/holm/profiles/NAME"),
    ROW(dry_run, "dry-run", 0, FLAG, NULL, "print config.json and what would be done; do nothing"),
    ROW(detach, "detach", 'd', FLAG, NULL, "do not attach (the default without -i and -t)"),
    ROW(interactive, "interactive", 'i', FLAG, NULL, "keep standard input open, and attach to it"),
    ROW(terminal, "tty", 't', FLAG, NULL, "give it a terminal, and attach to it"),
    ROW(remove, "rm", 0, FLAG, NULL, "remove it when it ends"),
    ROW(memory, "memory", 'm', SIZE, "SIZE", "memory it can have at most"),
    ROW(memory_high, "memory-high", 0, SIZE, "SIZE", "memory from which on it is slowed down (cgroup v2)"),
    ROW(swap, "swap", 0, SIZE, "SIZE", "swap on top of --memory; -1: any"),
    ROW(cpus, "cpus", 'c', STRING, "N", "processors it can use at most: 2, 0.5"),
    ROW(cpu_weight, "cpu-weight", 0, UNSIGNED, "N", "its share when processors are scarce, 1 to 10000 (100)"),
    ROW(cpuset, "cpuset", 0, STRING, "LIST", "processors it runs on: 0-3,7"),
    ROW(pids, "pids", 0, NUMBER, "N", "processes and threads at most (4096); -1: any"),
    ROW(io_weight, "io-weight", 0, UNSIGNED, "N", "its share of busy disks, 10 to 1000 (100)"),
    ROWS(io_read_bps, "io-read-bps", 0, "DEVICE:RATE", "bytes it reads per second; repeatable"),
    ROWS(io_write_bps, "io-write-bps", 0, "DEVICE:RATE", "bytes it writes per second; repeatable"),
    ROWS(io_read_iops, "io-read-iops", 0, "DEVICE:N", "reads per second; repeatable"),
    ROWS(io_write_iops, "io-write-iops", 0, "DEVICE:N", "writes per second; repeatable"),
    ROW(size, "size", 0, SIZE, "SIZE", "space for what it writes to its root"),
    ROW(inodes, "inodes", 0, UNSIGNED, "N", "files it can make there"),
    ROW(is_volatile, "volatile", 0, FLAG, NULL, "never flush its root to the disk: a crash of the host loses it"),
    ROW(shm_size, "shm-size", 0, SIZE, "SIZE", "size of /dev/shm (64M)"),
    ROWS(networks, "network", 0, "NAME[,KEY=VALUE...]",
	 "network (default), none, host, instance:NAME; keys: address, interface, mac, rate"),
    ROWS(publish, "publish", 'p', "[ADDRESS:]PORT:PORT[/udp]",
	 "a port of the host leads to it, on 127.0.0.1 unless an address is given; repeatable"),
    ROW(address, "address", 0, STRING, "ADDRESS", "its address in the first network"),
    ROW(mac, "mac", 0, STRING, "MAC", "its hardware address there"),
    ROW(rate, "rate", 0, STRING, "RATE[,RATE]", "bits per second to and from there: 100M"),
    ROWS(env, "env", 'e', "KEY[=VALUE]", "set a variable, or hand on this shell's; repeatable"),
    ROWS(env_files, "env-file", 0, "FILE", "variables, one per line; repeatable"),
    ROWS(volumes, "volume", 'v', "SOURCE:TARGET[:OPTION...]",
	 "mount a volume (NAME) or a folder of the host (/PATH, ./PATH); repeatable"),
    ROWS(tmpfs, "tmpfs", 0, "PATH[:OPTION...]", "mount memory: /run:size=64m; repeatable"),
    ROW(cwd, "workdir", 'w', STRING, "DIR", "working directory"),
    ROW(user, "user", 'u', STRING, "USER[:GROUP]", "who runs the command, by the root's /etc/passwd"),
    ROWS(groups, "group", 0, "GROUP", "a further group; repeatable"),
    ROW(hostname, "hostname", 0, STRING, "NAME", "host name (its name)"),
    ROW(entrypoint, "entrypoint", 0, STRING, "PROGRAM", "instead of the image's entry point and command"),
    ROWS(labels, "label", 'l', "NAME[=VALUE]", "a label; repeatable"),
    ROWS(devices, "device", 0, "/dev/NAME[:INSIDE][:rwm]", "a device of the host it can use; repeatable"),
    ROW(capabilities, "caps", 0, STRING, "SET", "capabilities: default, none, service, docker, all"),
    ROWS(cap_add, "cap-add", 0, "CAP", "one more, or ALL; repeatable"),
    ROWS(cap_drop, "cap-drop", 0, "CAP", "one less, or ALL; repeatable"),
    ROW(new_privileges, "new-privileges", 0, FLAG, NULL, "programs like sudo and ping gain theirs"),
    ROW(read_only, "read-only", 0, FLAG, NULL, "the root can't be written to"),
    ROW(userns, "userns", 0, STRING, "auto|host", "ids: a range of its own (auto), or the host's"),
    ROW(seccomp, "seccomp", 0, STRING, "FILE|unconfined", "instead of holm's own profile"),
    ROW(apparmor, "apparmor", 0, STRING, "PROFILE", "AppArmor profile"),
    ROWS(sysctls, "sysctl", 0, "NAME=VALUE", "a kernel parameter of its namespaces; repeatable"),
    ROWS(ulimits, "ulimit", 0, "NAME=SOFT[:HARD]", "a resource limit: nofile=4096; repeatable"),
    ROW(init, "init", 0, FLAG, NULL, "holm's init is process 1: it reaps, and passes signals on"),
    ROW(notify, "notify", 0, FLAG, NULL, "it has started when it says so (sd_notify)"),
    ROW(restart, "restart", 0, STRING, "POLICY[:MAX]", "no, on-failure, always, unless-stopped"),
    ROW(restart_delay, "restart-delay", 0, DURATION, "TIME", "how long before the first restart"),
    ROW(stop_signal, "stop-signal", 0, STRING, "SIGNAL", "what asks it to end (the image's, or TERM)"),
    ROW(stop_timeout, "stop-timeout", 0, DURATION, "TIME", "how long until it is killed (10s)"),
    ROWS(after, "after", 0, "NAME", "started after that instance, stopped before it; repeatable"),
    ROW(delay, "delay", 0, DURATION, "TIME", "the next one in order is started that much later"),
    ROW(health_command, "health-cmd", 0, STRING, "COMMAND", "a shell command in it that fails when it is ill"),
    ROW(health_interval, "health-interval", 0, DURATION, "TIME", "time between two checks (30s)"),
    ROW(health_timeout, "health-timeout", 0, DURATION, "TIME", "time one may take (30s)"),
    ROW(health_start_period, "health-start-period", 0, DURATION, "TIME", "failures do not count that long"),
    ROW(health_retries, "health-retries", 0, COUNT, "N", "failures in a row that make it ill (3)"),
    ROW(health_action, "health-action", 0, STRING, "ACTION", "then: none, restart, stop, kill"),
    ROW(log_size, "log-size", 0, SIZE, "SIZE", "size of a log file until the next is begun"),
    ROW(log_files, "log-files", 0, COUNT, "N", "log files that are kept"),
};
/* clang-format on */

const struct option_table launch_table = OPTION_TABLE(rows);

/* ---- profiles ---- */

enum { PROFILE_MAX = 1 << 20 };

static const char *find_folder(const struct runtime *runtime, struct arena *arena, size_t index)
{
	if (index)
		return "/etc/holm/profiles";
	return runtime->data ? arena_format(arena, "%s/profiles", runtime->data) : NULL;
}

static int refuse_profile(const struct runtime *runtime, const char *name, struct arena *arena, struct error *e)
{
	const char *names[64], *close;
	struct dirent *entry;
	size_t n = 0;

	for (size_t i = 0; i < 2; i++) {
		const char *folder = find_folder(runtime, arena, i);
		DIR *dir = folder ? opendir(folder) : NULL;

		while (dir && n < ARRAY_SIZE(names) && (entry = readdir(dir)))
			if (str_is_id(entry->d_name))
				names[n++] = arena_strdup(arena, entry->d_name);
		if (dir)
			closedir(dir);
	}
	close = str_closest(name, names, n);
	if (close)
		return error_refuse(e, ERROR_NOT_FOUND, "--profile '%s': there is none; did you mean '%s'?", name,
				    close);
	return error_refuse(e, ERROR_NOT_FOUND,
			    "--profile '%s': there is none; a file /etc/holm/profiles/%s would be it", name, name);
}

int launch_load_profile(const struct runtime *runtime, const char *name, struct arena *arena, char ***ret,
			size_t *ret_n, struct error *e)
{
	auto_free char *text = NULL;
	const char *path = NULL;
	size_t size = 0, n = 0, room = 1;
	char **list, *rest, *line;
	int r = -ENOENT;

	if (!str_is_id(name))
		return error_refuse(e, ERROR_USAGE, "--profile '%s': is no name of a file", name);
	for (size_t i = 0; r == -ENOENT && i < 2; i++) {
		const char *folder = find_folder(runtime, arena, i);

		path = folder ? arena_format(arena, "%s/%s", folder, name) : NULL;
		if (path)
			r = file_read(AT_FDCWD, path, PROFILE_MAX, &text, &size);
	}
	if (r == -ENOENT)
		return refuse_profile(runtime, name, arena, e);
	if (r)
		return error_system(e, -r, "--profile '%s': read '%s'", name, path);
	for (size_t i = 0; i < size; i++)
		room += text[i] == '\n';
	list = arena_array(arena, char *, room);
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		size_t length;
		char *value;

		line += strspn(line, " \t");
		length = strlen(line);
		while (length && strchr(" \t\r", line[length - 1]))
			line[--length] = 0;
		if (!*line || *line == '#')
			continue;
		line += strspn(line, "-");
		value = line + strcspn(line, " \t=");
		if (*value) {
			*value++ = 0;
			value += strspn(value, " \t=");
			list[n++] = arena_format(arena, "--%s=%s", line, value);
		} else {
			list[n++] = arena_format(arena, "--%s", line);
		}
	}
	*ret = list;
	*ret_n = n;
	return 0;
}

/* ---- parsing ---- */

static int take_operands(struct config_options *o, char **operands, size_t n, struct error *e)
{
	if (!o->rootfs) {
		if (!n || !*operands[0])
			return error_refuse(
			    e, ERROR_USAGE,
			    "no image: give one ('holm image list' shows those that are), or --rootfs DIR");
		o->image = operands[0];
		operands++;
		n--;
		if (n && str_equal(*operands, "--")) { /* options ended at the image: this one only sets it off */
			operands++;
			n--;
		}
	}
	o->args = n ? (const char **)operands : NULL;
	o->n_args = n;
	return 0;
}

int launch_parse(const struct runtime *runtime, char **argv, size_t n, struct arena *arena, struct config_options *ret,
		 bool *ret_help, struct error *e)
{
	char **copy = arena_memdup(arena, argv, (n + 1) * sizeof(*argv)), **profile = NULL;
	struct config_options options = {0};
	struct option_result parsed;
	size_t n_profile = 0;
	int r = option_parse(&launch_table, OPTION_ORDER_FIRST, copy, n, &options, arena, &parsed, e);

	*ret_help = !r && parsed.help;
	if (r || parsed.help)
		return r;
	if (options.profile) {
		const char *name = options.profile;

		r = launch_load_profile(runtime, name, arena, &profile, &n_profile, e);
		if (r)
			return r;
		copy = arena_array(arena, char *, n_profile + n);
		memcpy(copy, profile, n_profile * sizeof(*copy));
		memcpy(copy + n_profile, argv, n * sizeof(*copy));
		options = (struct config_options){0};
		r = option_parse(&launch_table, OPTION_ORDER_FIRST, copy, n_profile + n, &options, arena, &parsed, e);
		if (r) {
			error_context(e, "with --profile '%s'", name);
			return r;
		}
	}
	r = take_operands(&options, parsed.operands, parsed.n_operands, e);
	if (!r && options.rootfs && *options.rootfs != '/') {
		auto_free char *real = realpath(options.rootfs, NULL);

		if (!real)
			return error_system(e, errno, "--rootfs '%s'", options.rootfs);
		options.rootfs = arena_strdup(arena, real);
	}
	if (!r && options.detach && options.remove && options.restart)
		r = error_refuse(e, ERROR_USAGE, "--rm and --restart: what is removed at its end can't be restarted");
	if (!r)
		*ret = options;
	return r;
}

/* ---- the verb ---- */

/* config.json and, where this host can do it all, the plan; printed when nothing is left to undo. */
static int dry_run(struct invocation *call, struct instance *i, struct error *e)
{
	struct container_monitored nobody = CONTAINER_MONITORED_INIT;
	const struct container_create request = {
	    .id = i->name, .bundle = i->path, .detach = true, .monitored = &nobody};
	auto_free char *config = NULL;
	auto_str text = STR_INIT;
	size_t size = 0;
	int printed, r = file_read(i->folder, INSTANCE_CONFIG, 64 << 20, &config, &size);

	if (r) {
		r = error_system(e, -r, "read '%s/" INSTANCE_CONFIG "'", i->path);
	} else {
		str_addf(&text, "%s\n\n", config);
		r = explain_print(&call->runtime, &request, call->arena, &text, e);
	}
	launch_discard(&call->runtime, i);
	printed = output_write(str_peek(&text), r ? NULL : e);
	return r ? r : printed;
}

/* What could not be started leaves nothing but its error. */
static int start(struct invocation *call, struct instance *i, struct spec *spec, struct error *e)
{
	int r = monitor_start(&call->runtime, i, spec, e);

	if (r) {
		struct error ignored;

		if (launch_remove(&call->runtime, i, &ignored))
			log_warning("%s", ignored.text);
		return r;
	}
	/* The service answers already; only our word that it stays is waited for. */
	r = i->record.remove ? 0 : instance_sync(i, e);
	instance_unlock(i);
	return r;
}

enum { REMOVAL_MS = 5000 };

/* In front: until it ends, and with --rm is gone, or the caller detaches. */
static int attach(struct invocation *call, const struct instance *i, struct error *e)
{
	const struct attach_options options = {.from_start = true};
	enum attach_outcome outcome;
	int r = instance_attach(&call->runtime, i, &options, &outcome, &call->status, e);

	for (int waited = 0; !r && outcome == ATTACH_ENDED && i->record.remove && waited < REMOVAL_MS; waited += 5) {
		auto_instance again = INSTANCE_INIT;

		if (instance_find(&call->runtime, i->name, &again, e))
			break;
		poll(NULL, 0, 5);
	}
	return r;
}

static int run(struct invocation *call, void *ignored, char **operands, size_t n, struct error *e)
{
	auto_instance i = INSTANCE_INIT;
	struct config_options options;
	auto_spec spec = {0};
	bool help;
	int r;

	(void)ignored;
	r = launch_parse(&call->runtime, operands, n, call->arena, &options, &help, e);
	if (r)
		return r;
	if (help) {
		auto_str text = STR_INIT;

		verb_print_help(call->verb, &text);
		return output_write(str_peek(&text), e);
	}
	if (!options.name)
		options.name = instance_invent_name(&call->runtime, call->arena);
	r = launch_make(&call->runtime, &options, &i, &spec, e);
	if (r)
		return r;
	if (options.dry_run)
		return dry_run(call, &i, e);
	i.record.up = true;
	r = instance_publish(&call->runtime, &i, e);
	if (r) {
		launch_discard(&call->runtime, &i);
		return r;
	}
	r = start(call, &i, &spec, e);
	if (r)
		return r;
	if ((options.interactive || options.terminal) && !options.detach)
		return attach(call, &i, e);
	return output_write(arena_format(call->arena, "%s\n", i.name), e);
}

const struct verb verb_launch = {
    .name = "launch",
    .summary = "make an instance from an image, and start it",
    .operands = "IMAGE|--rootfs DIR [--] [COMMAND [ARGUMENT...]]",
    .min = 0,
    .max = VERB_ANY_OPERANDS,
    .order = OPTION_ORDER_FIRST,
    .options = {rows, ARRAY_SIZE(rows)},
    .raw = true,
    .makes_root = true,
    .text =
	"The instance stays until it is removed; its name is printed.  What is not given comes from the image, then\n"
	"from holm's defaults: every namespace, a range of ids of its own, few capabilities, no devices, the network\n"
	"'default'.  'holm launch --dry-run' shows all of it as a config.json.",
    .run = run,
};
