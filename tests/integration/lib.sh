# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the integration tests share; sourced first by each.  A test file is one topic; it makes bundles, runs containers
# and states what it found:
#
#   . "$(dirname "$0")/lib.sh"
#   bundle '.hostname = "isle"' -- hostname
#   is 'the host name is set' "$(holm run "$id")" isle
#
# Everything lies in $work, ids begin with $prefix.  At the end whatever still runs is deleted, and the host is compared:
# cgroups, mounts, processes, state.  What is left is a failed test.
#
# $HOLM may be another OCI runtime: the tests say what the OCI and runc's command line promise, unless they say "holm".
# shellcheck disable=SC2034 # variables for the tests
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
export LC_ALL=C
BUILD=$(readlink -f "${BUILD:-build}")
HOLM=${HOLM:-$BUILD/holm}
HOLM_WHERE=${HOLM_WHERE:-host}
HOLM_TIMESCALE=${HOLM_TIMESCALE:-1}
probe=$BUILD/tests/probe/probe
work=$(mktemp -d "${HOLM_TEST_DIR:-/var/tmp}/holm-test.XXXXXX") || exit 1
work=$(readlink -f "$work")
chmod 755 "$work"
prefix=h$(printf %s "${work##*.}" | tr -dc 'a-zA-Z0-9')
state=$work/state
rootfs=$work/rootfs
result_count=0
bundle_count=0
id=
umask 022

# --- results -----------------------------------------------------------------------------------------------------------

ok() {
	result_count=$((result_count + 1))
	echo "ok $result_count - $1"
}

# not_ok NAME [DETAIL]...
not_ok() {
	result_count=$((result_count + 1))
	echo "not ok $result_count - $1"
	shift
	[ $# -eq 0 ] || printf '%s\n' "$@" | sed 's/^/#   /'
}

# skip NAME REASON
skip() {
	result_count=$((result_count + 1))
	echo "ok $result_count - $1 # SKIP $2"
}

# skip_all REASON: nothing of this file makes sense here
skip_all() {
	skip "${0##*/}" "$1"
	exit 0
}

# is NAME GOT EXPECTED
is() {
	if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "got:      $2" "expected: $3"; fi
}

# isnt NAME GOT UNEXPECTED
isnt() {
	if [ "$2" != "$3" ]; then ok "$1"; else not_ok "$1" "got: $2"; fi
}

# like NAME GOT REGEX, unlike NAME GOT REGEX
like() {
	if [[ $2 =~ $3 ]]; then ok "$1"; else not_ok "$1" "got:           $2" "does not match: $3"; fi
}

unlike() {
	if [[ $2 =~ $3 ]]; then not_ok "$1" "got:     $2" "matches: $3"; else ok "$1"; fi
}

# check NAME COMMAND...: it succeeds.  (Output goes to a file: what runs on in the background would keep a pipe open.)
check() {
	local name=$1 text status
	shift
	"$@" >"$work/said" 2>&1
	status=$?
	text=$(tr -d '\0' <"$work/said")
	if [ $status -eq 0 ]; then ok "$name"; else not_ok "$name" "exit status $status of: $*" "$text"; fi
}

# refuses NAME REGEX COMMAND...: it fails, and the text matches
refuses() {
	local name=$1 regex=$2 text status
	shift 2
	"$@" >"$work/said" 2>&1
	status=$?
	text=$(tr -d '\0' <"$work/said")
	if [ $status -eq 0 ]; then
		not_ok "$name" "succeeded: $*" "$text"
	elif [[ $text =~ $regex ]]; then
		ok "$name"
	else
		not_ok "$name" "exit status $status, text: $text" "does not match: $regex"
	fi
}

# fact NAME JSON JQ-EXPRESSION [EXPECTED]: the expression is true, or prints what is expected
fact() {
	local got
	got=$(jq -rc "$3" <<<"$2" 2>&1)
	if [ "$got" = "${4-true}" ]; then ok "$1"; else not_ok "$1" "$3 is: $got" "expected: ${4-true}"; fi
}

# wait_for SECONDS COMMAND...: until it succeeds; the time-out grows with HOLM_TIMESCALE
wait_for() {
	local deadline=$((EPOCHSECONDS + $1 * HOLM_TIMESCALE + 1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $EPOCHSECONDS -lt $deadline ] || return 1
		sleep 0.02
	done
}

# --- bundles -----------------------------------------------------------------------------------------------------------

# A root from busybox-static and the probe; $1 is the folder.
make_root() {
	local root=$1 folder
	for folder in bin dev etc proc sys tmp root var/tmp usr run home; do mkdir -p "$root/$folder"; done
	chmod 1777 "$root/tmp" "$root/var/tmp"
	ln -s bin "$root/sbin"
	cp "$(command -v busybox)" "$root/bin/busybox"
	"$root/bin/busybox" --install "$root/bin"
	[ ! -x "$probe" ] || cp "$probe" "$root/bin/probe"
	printf 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home:/bin/sh\n' >"$root/etc/passwd"
	printf 'root:x:0:\nuser:x:1000:\n' >"$root/etc/group"
}

# The configuration that `runc spec` writes, without a terminal and with a writable root.
default_config='{
	"ociVersion": "1.0.2",
	"process": {
		"user": {"uid": 0, "gid": 0}, "args": ["true"], "cwd": "/", "noNewPrivileges": true,
		"env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
		"capabilities": {
			"bounding": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
			"effective": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
			"permitted": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]},
		"rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}]},
	"root": {"path": "rootfs"},
	"hostname": "test",
	"mounts": [
		{"destination": "/proc", "type": "proc", "source": "proc"},
		{"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
		 "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
		{"destination": "/dev/pts", "type": "devpts", "source": "devpts",
		 "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
		{"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
		 "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
		{"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"]},
		{"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]}],
	"linux": {
		"namespaces": [{"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}],
		"maskedPaths": ["/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
			"/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi"],
		"readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]}}'

# What an ordinary user must change: a user namespace of its own, no group 5, the host's sysfs.
rootless_filter='.linux.namespaces += [{"type": "user"}]
	| .linux.uidMappings = [{"containerID": 0, "hostID": $uid, "size": 1}]
	| .linux.gidMappings = [{"containerID": 0, "hostID": $gid, "size": 1}]
	| (.mounts[] | select(.destination == "/dev/pts") | .options) -= ["gid=5"]'
[ "$(id -u)" -eq 0 ] && rootless_filter=.

# bundle [JQ-FILTER]... [-- ARGUMENT...]: makes $bundle and a fresh $id; all bundles share one root, $rootfs
bundle() {
	local filter=.
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		filter+=" | $1"
		shift
	done
	shift $(($# > 0))
	bundle_count=$((bundle_count + 1))
	bundle=$work/bundle$bundle_count
	id=$prefix-$bundle_count
	mkdir "$bundle"
	[ -d "$rootfs" ] || make_root "$rootfs"
	jq --arg root "$rootfs" --argjson uid "$(id -u)" --argjson gid "$(id -g)" \
		".root.path = \$root | $rootless_filter | if \$ARGS.positional == [] then . else .process.args = \$ARGS.positional end | $filter" \
		--args -- "$@" <<<"$default_config" >"$bundle/config.json" || not_ok "the test's own filter: $filter"
}

# config JQ-FILTER [JQ-OPTION]...: changes the bundle made last
config() {
	jq "$@" <"$bundle/config.json" >"$bundle/config.new" && mv "$bundle/config.new" "$bundle/config.json"
}

# own_root: the bundle made last gets a root of its own, $root
own_root() {
	root=$bundle/rootfs
	make_root "$root"
	config '.root.path = "rootfs"'
}

# --- containers --------------------------------------------------------------------------------------------------------

# holm VERB [ARGUMENT]...: with this test's state folder; create and run get the last bundle
holm() {
	local verb=$1
	shift
	case $verb in
	create | run) "$HOLM" --root "$state" "$verb" --bundle "$bundle" "$@" ;;
	*) "$HOLM" --root "$state" "$verb" "$@" ;;
	esac
}

# is_holm: some tests are about holm alone
is_holm() {
	[[ ${HOLM##*/} == holm* ]]
}

# Runs the bundle made last in the background, its output in $work/ID.out
run_detached() {
	holm run --detach "$@" "$id" </dev/null >"$work/$id.out" 2>&1 || { not_ok "run $id" "$(cat "$work/$id.out")"; return 1; }
}

create() {
	holm create "$@" "$id" </dev/null >"$work/$id.out" 2>&1
}

status_of() {
	holm state "${1:-$id}" 2>/dev/null | jq -r .status
}

pid_of() {
	holm state "${1:-$id}" 2>/dev/null | jq -r .pid
}

has_status() {
	[ "$(status_of "$2")" = "$1" ]
}

# wait_status STATUS [ID]
wait_status() {
	wait_for 10 has_status "$1" "${2:-$id}"
}

# The probe's report from a container of the last bundle: probe_run [SECTION]...
probe_run() {
	config '.process.args = ["/bin/probe"] + $ARGS.positional' --args -- "$@"
	holm run "$id"
}

# After the time-out that tests/run gives, whatever still runs is ended, so that the script can end too.
watch_the_time() {
	local fifo=$work/clock path
	mkfifo "$fifo"
	(
		trap - EXIT INT TERM
		! read -rt "${HOLM_TEST_SECONDS:-600}" <>"$fifo" || exit 0
		echo "not ok - done within ${HOLM_TEST_SECONDS:-600} s"
		kill -TERM $$
		for path in "$state"/[!:]*; do "$HOLM" --root "$state" delete --force "${path##*/}"; done
	) &
	watch=$!
}

# --- the end -----------------------------------------------------------------------------------------------------------

# What of this test is on the host: one line per thing.
left_behind() {
	local path pid
	find "$state" -mindepth 1 -maxdepth 1 ! -name :seccomp 2>/dev/null | sed 's/^/state: /' # that one is a cache
	find /sys/fs/cgroup -type d -name "*$prefix*" 2>/dev/null | sed 's/^/cgroup: /'
	grep -F "$work" /proc/self/mountinfo | sed 's/^/mount: /'
	for path in /proc/[0-9]*; do
		pid=${path#/proc/}
		[ "$pid" != $$ ] && [ "$pid" != "$BASHPID" ] || continue
		if [ "$path/ns/mnt" -ef /proc/self/ns/mnt ]; then
			tr '\0' ' ' 2>/dev/null <"$path/cmdline" | grep -F -- "$state" | sed "s/^/process $pid: /"
		elif grep -qsF "$work" "$path/mountinfo"; then
			echo "process $pid: $(tr '\0' ' ' 2>/dev/null <"$path/cmdline")"
		fi
	done
}

nothing_left() {
	[ -z "$(left_behind)" ]
}

finish() {
	local status=$? path
	trap - EXIT INT TERM
	kill "$watch" 2>/dev/null
	for path in "$state"/*; do
		[ ! -d "$path" ] || holm delete --force "${path##*/}" >/dev/null 2>&1
	done
	if [ $status -ne 0 ]; then
		not_ok "the test ran to its end" "exit status $status"
	elif [ $result_count -gt 0 ]; then
		if wait_for 2 nothing_left; then ok 'nothing is left behind'; else not_ok 'nothing is left behind' "$(left_behind)"; fi
	fi
	left_behind | sed -n 's/^process \([0-9]*\):.*/\1/p' | xargs -r kill -9 2>/dev/null
	left_behind | sed -n 's/^cgroup: //p' | sort -r | xargs -r rmdir 2>/dev/null
	rm -rf --one-file-system "$work"
	echo "1..$result_count"
	exit 0
}
watch_the_time
trap finish EXIT
trap 'exit 130' INT TERM
