/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * image import, pull, export.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/log.h"
#include "cmd/bar.h"
#include "cmd/image.h"
#include "cmd/output.h"
#include "storage/image_export.h"
#include "storage/image_import.h"

extern char **environ;

/* ---- what import and pull share ---- */

struct import_options {
	const char *platform, *select;
	bool quiet, no_devices;
	unsigned jobs;
	unsigned max_entries, max_depth, max_ratio;
	const char **entrypoint, **cmd, **env, **expose, **volumes, **labels;
	size_t n_entrypoint, n_cmd, n_env, n_expose, n_volumes, n_labels;
	const char *user, *working_dir, *stop_signal;
	const char *max_size_text;
	/* pull */
	const char *authfile, *credentials;
	bool insecure;
};

#define LIMIT_ROWS                                                                                                     \
	OPTION(struct import_options, jobs, "jobs", 'j', COUNT, "N", "layers at a time (as many as processors)"),      \
	    OPTION(struct import_options, max_size_text, "max-size", 0, STRING, "BYTES",                               \
		   "most that an archive may unpack to (256G)"),                                                       \
	    OPTION(struct import_options, max_entries, "max-entries", 0, COUNT, "N",                                   \
		   "most members of an archive (4000000)"),                                                            \
	    OPTION(struct import_options, max_depth, "max-depth", 0, COUNT, "N", "most folders in each other (256)"),  \
	    OPTION(struct import_options, max_ratio, "max-ratio", 0, COUNT, "N",                                       \
		   "most bytes that one byte may unpack to, after 64 MiB (500)"),                                      \
	    OPTION(struct import_options, no_devices, "no-devices", 0, FLAG, NULL,                                     \
		   "refuse device nodes; those in dev/ are left out"),                                                 \
	    OPTION(struct import_options, platform, "platform", 0, STRING, "PLATFORM",                                 \
		   "OS/ARCHITECTURE[/VARIANT] to choose from several (this machine's)"),                               \
	    OPTION(struct import_options, quiet, "quiet", 'q', FLAG, NULL,                                             \
		   "no progress, and only the ids of the images")

static const struct option import_rows[] = {
    LIMIT_ROWS,
    OPTION(struct import_options, select, "select", 0, STRING, "NAME", "of several images in an archive this one"),
    OPTION_LISTED(struct import_options, entrypoint, "entrypoint", 0, LIST, "ARGUMENT",
		  "for a plain root: what is run, an argument each time"),
    OPTION_LISTED(struct import_options, cmd, "cmd", 0, LIST, "ARGUMENT", "for a plain root: its arguments, likewise"),
    OPTION_LISTED(struct import_options, env, "env", 'e', ENV, "KEY=VALUE", "for a plain root: a variable"),
    OPTION_LISTED(struct import_options, expose, "expose", 0, LIST, "PORT", "for a plain root: a port, like 80/tcp"),
    OPTION_LISTED(struct import_options, volumes, "volume", 0, LIST, "PATH", "for a plain root: a path for a volume"),
    OPTION_LISTED(struct import_options, labels, "label", 'l', ENV, "KEY=VALUE", "for a plain root: a label"),
    OPTION(struct import_options, user, "user", 'u', STRING, "USER", "for a plain root: who runs it"),
    OPTION(struct import_options, working_dir, "cwd", 0, STRING, "PATH", "for a plain root: the working folder"),
    OPTION(struct import_options, stop_signal, "stop-signal", 0, STRING, "SIGNAL",
	   "for a plain root: what asks it to end"),
};

static const struct option pull_rows[] = {
    LIMIT_ROWS,
    OPTION(struct import_options, authfile, "authfile", 0, STRING, "FILE", "skopeo's file of credentials"),
    OPTION(struct import_options, credentials, "creds", 0, STRING, "USER:PASSWORD", "credentials for the registry"),
    OPTION(struct import_options, insecure, "insecure", 0, FLAG, NULL, "plain HTTP, or certificates of anybody"),
};

static int read_limits(const struct import_options *o, struct unpack_limits *ret, struct error *e)
{
	int64_t size;

	*ret = UNPACK_LIMITS_DEFAULT;
	if (o->max_size_text) {
		if (parse_size(o->max_size_text, false, &size) || size <= 0)
			return error_refuse(e, ERROR_USAGE, "'%s' is not a size like 512M", o->max_size_text);
		ret->size = size;
	}
	if (o->max_entries)
		ret->entries = o->max_entries;
	if (o->max_depth)
		ret->depth = o->max_depth;
	if (o->max_ratio)
		ret->ratio = o->max_ratio;
	return 0;
}

/* "KEY=VALUE" each, as key, value, key, value. */
static const char **split_labels(const struct import_options *o, struct arena *arena)
{
	const char **list = arena_array(arena, const char *, 2 * o->n_labels + 1);

	for (size_t i = 0; i < o->n_labels; i++) {
		size_t n = strcspn(o->labels[i], "=");

		list[2 * i] = arena_format(arena, "%.*s", (int)n, o->labels[i]);
		list[2 * i + 1] = o->labels[i] + n + (o->labels[i][n] == '=');
	}
	return list;
}

static struct image_config make_config(const struct import_options *o, struct arena *arena)
{
	return (struct image_config){
	    .entrypoint = o->entrypoint,
	    .n_entrypoint = o->n_entrypoint,
	    .cmd = o->cmd,
	    .n_cmd = o->n_cmd,
	    .env = o->env,
	    .n_env = o->n_env,
	    .exposed_ports = o->expose,
	    .n_exposed_ports = o->n_expose,
	    .volumes = o->volumes,
	    .n_volumes = o->n_volumes,
	    .labels = split_labels(o, arena),
	    .n_labels = o->n_labels,
	    .user = o->user,
	    .working_dir = o->working_dir,
	    .stop_signal = o->stop_signal,
	};
}

static void draw_layers(const struct layer_progress *progress, void *data)
{
	bar_draw(data, "layers", progress->done, progress->layers, progress->bytes, progress->total);
}

static int print_image(const struct store *store, const struct image *image, bool quiet, struct str *out,
		       struct error *e)
{
	char size[BAR_SIZE_SIZE], shared[BAR_SIZE_SIZE];
	uint64_t disk, common;
	int r;

	if (quiet) {
		str_addf(out, "%s\n", image->id);
		return 0;
	}
	r = image_measure(store, image, &disk, &common, e);
	if (!r)
		str_addf(out, "%s: %.12s, %zu layer%s, %s%s%s%s\n", image->reference, store_digest_hex(image->id),
			 image->n_layers, image->n_layers == 1 ? "" : "s", bar_print_size(disk, size),
			 common ? ", " : "", common ? bar_print_size(common, shared) : "",
			 common ? " of it shared with other images" : "");
	return r;
}

static int import(struct invocation *call, const struct import_options *o, struct image_import *import,
		  const struct store *store, struct error *e)
{
	struct image_config config = make_config(o, call->arena);
	auto_str out = STR_INIT;
	struct image *images;
	struct bar bar;
	size_t n;
	int r = read_limits(o, &import->limits, e);

	if (r)
		return r;
	bar_open(&bar, o->quiet);
	import->platform = o->platform;
	import->config = &config;
	import->parallel = o->jobs;
	import->no_devices = o->no_devices;
	import->progress = draw_layers;
	import->data = &bar;
	r = image_import(store, import, call->arena, &images, &n, e);
	bar_close(&bar);
	for (size_t i = 0; !r && i < n; i++)
		r = print_image(store, &images[i], o->quiet, &out, e);
	return r ?: output_write(str_peek(&out), e);
}

static int run_import(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct import_options *o = options;
	struct image_import request = {
	    .source = operands[0], .reference = n > 1 ? operands[1] : NULL, .select = o->select};
	auto_store store = STORE_INIT;
	int r = store_open(call->runtime.data, true, &store, e);

	return r ?: import(call, o, &request, &store, e);
}

/* ---- pull ---- */

/* What skopeo calls a place beside registries. */
static const char *find_source(const char *reference, struct arena *arena)
{
	static const char *const transports[] = {
	    "docker://", "docker-archive:", "docker-daemon:", "oci:", "oci-archive:", "dir:", "containers-storage:"};

	for (size_t i = 0; i < ARRAY_SIZE(transports); i++)
		if (str_after(reference, transports[i]))
			return reference;
	return arena_format(arena, "docker://%s", reference);
}

/* The name it gets here: what is behind the transport, without a digest. */
static const char *find_name(const char *reference, struct arena *arena)
{
	const char *name = str_after(reference, "docker://") ?: str_after(reference, "docker-daemon:") ?: reference;
	const char *at = strchr(name, '@');

	return at ? arena_format(arena, "%.*s", (int)(at - name), name) : name;
}

static int wait_for_skopeo(pid_t pid, const char *reference, struct error *e)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return error_system(e, errno, "wait for skopeo");
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	if (WIFSIGNALED(status))
		return error_refuse(e, ERROR_SYSTEM, "skopeo, which pulls '%s', was killed by SIG%s", reference,
				    sigabbrev_np(WTERMSIG(status)) ?: "?");
	return error_refuse(e, ERROR_SYSTEM, "skopeo could not pull '%s' (its words are above)", reference);
}

static int run_skopeo(const struct import_options *o, const char *reference, const char *target, struct arena *arena,
		      struct error *e)
{
	const char *arguments[24] = {"skopeo"};
	posix_spawn_file_actions_t actions;
	size_t n = 1;
	pid_t pid;
	int r;

	if (o->platform) {
		char *copy = arena_strdup(arena, o->platform);
		const char *os = strsep(&copy, "/"), *architecture = strsep(&copy, "/");

		arguments[n++] = arena_format(arena, "--override-os=%s", os);
		if (architecture)
			arguments[n++] = arena_format(arena, "--override-arch=%s", architecture);
		if (copy)
			arguments[n++] = arena_format(arena, "--override-variant=%s", copy);
	}
	arguments[n++] = "copy";
	if (o->quiet)
		arguments[n++] = "--quiet";
	if (o->insecure)
		arguments[n++] = "--src-tls-verify=false";
	if (o->authfile)
		arguments[n++] = arena_format(arena, "--authfile=%s", o->authfile);
	if (o->credentials)
		arguments[n++] = arena_format(arena, "--src-creds=%s", o->credentials);
	arguments[n++] = "--";
	arguments[n++] = find_source(reference, arena);
	arguments[n++] = arena_format(arena, "oci:%s:pulled", target);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO,
					 STDOUT_FILENO); /* its progress is no output of ours */
	r = posix_spawnp(&pid, arguments[0], &actions, NULL, (char **)arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (r == ENOENT)
		return error_refuse(
		    e, ERROR_UNSUPPORTED,
		    "images are pulled by skopeo, which is not installed (on Debian: apt-get install skopeo)");
	if (r)
		return error_system(e, r, "run skopeo");
	return wait_for_skopeo(pid, reference, e);
}

static int run_pull(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct import_options *o = options;
	struct image_import request = {.select = "pulled"};
	struct store_tmp tmp = STORE_TMP_INIT;
	auto_store store = STORE_INIT;
	const char *normal, *layout;
	int r;

	request.reference = n > 1 ? operands[1] : find_name(operands[0], call->arena);
	r = image_normalize(request.reference, call->arena, &normal, e)
		?: store_open(call->runtime.data, true, &store, e);
	if (r)
		return r;
	r = store_tmp_make(&store, "pull", &tmp, e);
	if (!r) {
		layout = arena_format(call->arena, "%s/tmp/%s/layout", store.path, tmp.name);
		request.source = layout;
		r = run_skopeo(o, operands[0], layout, call->arena, e) ?: import(call, o, &request, &store, e);
	}
	store_tmp_drop(&store, &tmp);
	return r;
}

/* ---- export ---- */

enum export_format { EXPORT_BY_NAME, EXPORT_TAR, EXPORT_FOLDER };

struct export_options {
	int format;
	bool quiet;
	const char *output;
};

static const char *const formats[] = {[EXPORT_BY_NAME] = "auto", [EXPORT_TAR] = "tar", [EXPORT_FOLDER] = "folder"};

static const struct option export_rows[] = {
    OPTION(struct export_options, output, "output", 'o', STRING, "FILE",
	   "where to ('-', or no option: standard output)"),
    OPTION_CHOSEN(struct export_options, format, "format", 0, formats,
		  "one file or a folder (a folder where FILE is one or ends in '/')"),
    OPTION(struct export_options, quiet, "quiet", 'q', FLAG, NULL, "no progress"),
};

static void draw_bytes(uint64_t bytes, uint64_t total, void *data)
{
	bar_draw(data, "images", 0, 1, bytes, total);
}

static bool is_folder(const struct export_options *o, const char *target)
{
	struct stat st;

	if (o->format != EXPORT_BY_NAME)
		return o->format == EXPORT_FOLDER;
	return target[strlen(target) - 1] == '/' || (!stat(target, &st) && S_ISDIR(st.st_mode));
}

static int run_export(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct export_options *o = options;
	struct image_export request = {.references = (const char *const *)operands,
				       .n_references = n,
				       .target = o->output ?: "-",
				       .progress = draw_bytes};
	auto_store store = STORE_INIT;
	size_t changed;
	struct bar bar;
	int r = store_open(call->runtime.data, false, &store, e);

	if (r)
		return r;
	request.folder = is_folder(o, request.target);
	if (!request.folder && str_equal(request.target, "-") && isatty(STDOUT_FILENO))
		return error_refuse(e, ERROR_USAGE, "an image is not written to a terminal: --output FILE");
	bar_open(&bar, o->quiet);
	request.data = &bar;
	r = image_export(&store, &request, &changed, e);
	bar_close(&bar);
	if (!r && changed)
		log_warning("%zu image%s will have another id there: a layer could not be given back byte for byte",
			    changed, changed == 1 ? "" : "s");
	return r;
}

const struct verb command_image_import = {.name = "image import",
					  .summary = "an OCI layout, a docker archive, a tar of a root, a folder",
					  .operands = "SOURCE [IMAGE]",
					  .min = 1,
					  .max = 2,
					  VERB_OPTIONS(struct import_options, import_rows),
					  .run = run_import};
const struct verb command_image_pull = {.name = "image pull",
					.summary = "from a registry, by skopeo",
					.operands = "REFERENCE [IMAGE]",
					.min = 1,
					.max = 2,
					VERB_OPTIONS(struct import_options, pull_rows),
					.run = run_pull};
const struct verb command_image_export = {.name = "image export",
					  .summary = "as an OCI layout",
					  .operands = "IMAGE...",
					  .min = 1,
					  .max = VERB_ANY_OPERANDS,
					  VERB_OPTIONS(struct export_options, export_rows),
					  .run = run_export};
