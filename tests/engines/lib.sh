# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the engine checks share; sourced first by each.  One script is one engine, one result line is one behaviour of it:
#
#   needs podman                     # commands without which this check is skipped, with the reason
#   . "$(dirname "$0")/lib.sh"
#
# The script starts itself anew in a sandbox: mount, network, pid, IPC, UTS and cgroup namespaces of its own, a tmpfs over
# every folder where an engine keeps something, cgroups of its own below the caller's.  So engines use their standard paths, every
# process ends with the sandbox, and nothing stays.  Inside it tests/integration/lib.sh is what the others use too.
#
# $RUNTIME (holm; runc and crun are others) is what the engines are told to run.  A behaviour in which another runtime is
# known to differ is named by `differs`; it is reported, with the reason, and is no failure.
# shellcheck disable=SC2034,SC2154 # variables for the checks, and from them
BUILD=$(readlink -f "${BUILD:-build}")
export HOLM_TIMESCALE=${HOLM_TIMESCALE:-1} # every time-out grows with it
checkout=$(readlink -f "$(dirname "${BASH_SOURCE[0]}")/../..")
HOLM=${HOLM:-$BUILD/holm}
RUNTIME=${RUNTIME:-holm}
case $RUNTIME in holm) runtime=$HOLM ;; *) runtime=$(command -v "$RUNTIME") ;; esac
engine_name=${0##*/}

# The cgroup of this process in the hierarchy that is mounted on $1.
own_cgroup() {
	local controller=${1##*/}
	case $controller in
	unified | cgroup) sed -n 's/^0:://p' /proc/self/cgroup ;;
	systemd) sed -n 's/^[0-9]*:name=systemd://p' /proc/self/cgroup ;;
	*) sed -n "s/^[0-9]*:\([^:]*,\)\?$controller\(,[^:]*\)\?://p" /proc/self/cgroup ;;
	esac
}

cgroup_mounts() {
	sed -n 's/^\S* \(\S*\) cgroup2\? .*/\1/p' /proc/mounts
}

# One folder per hierarchy, and this process in it.
make_cgroups() {
	local top folder
	while read -r top; do
		folder=$top$(own_cgroup "$top")/$1
		mkdir -p "$folder" || return 1
		echo "$folder" >>"$2"
		[ ! -e "$folder/cpuset.mems" ] || for file in cpus mems; do cat "$folder/../cpuset.$file" >"$folder/cpuset.$file"; done
		[ ! -e "$folder/cgroup.clone_children" ] || echo 1 >"$folder/cgroup.clone_children"
		echo "$BASHPID" >"$folder/cgroup.procs" || return 1
	done < <(cgroup_mounts)
}

# The processes have been killed; the last of them may need a moment.
remove_cgroups() {
	local folder try
	for ((try = 0; try < 50; try++)); do
		[ $try -eq 0 ] || sleep 0.1
		while read -r folder; do
			[ ! -d "$folder" ] || find "$folder" -depth -type d -exec rmdir {} + 2>/dev/null
		done <"$1"
		while read -r folder; do
			[ ! -d "$folder" ] || continue 2
		done <"$1"
		return
	done
}

# Outside: the sandbox, and what is left of it.
if [ -z "${HOLM_SANDBOX:-}" ]; then
	for need in "${needs[@]}"; do
		command -v "$need" >/dev/null || {
			echo "ok 1 - $engine_name # SKIP $need is not installed"
			exit 0
		}
	done
	[ "$(id -u)" -eq 0 ] || {
		echo "ok 1 - $engine_name # SKIP needs root"
		exit 0
	}
	sandbox=$(mktemp -d /var/tmp/holm-engine.XXXXXX) || exit 1
	chmod 755 "$sandbox"
	name=${sandbox##*/}
	trap 'remove_cgroups "$sandbox/cgroups"; rm -rf --one-file-system "$sandbox"' EXIT
	export HOLM_SANDBOX=$sandbox BUILD HOLM RUNTIME
	(
		trap - EXIT
		make_cgroups "$name" "$sandbox/cgroups" || exit 1
		# cgroup v2 limits nothing beside processes, so there all that are in the namespace are in a leaf of it.
		# shellcheck disable=SC2016
		exec unshare --cgroup bash -c '[ ! -e /sys/fs/cgroup/cgroup.controllers ] || { read -r folder <"$0" && mkdir "$folder/leaf" &&
			echo $$ >"$folder/leaf/cgroup.procs"; } || exit
			exec unshare --mount --net --pid --ipc --uts --fork --kill-child --mount-proc --propagation private "$@"' "$sandbox/cgroups" "$0" "$@"
	) &
	child=$!
	trap 'kill -9 $child; wait $child 2>/dev/null; exit 130' INT TERM
	wait $child
	status=$?
	remove_cgroups "$sandbox/cgroups"
	while read -r folder; do
		[ ! -d "$folder" ] || echo "not ok - nothing is left of the sandbox: $folder"
	done <"$sandbox/cgroups"
	exit $status
fi

# --- inside ------------------------------------------------------------------------------------------------------------

# /sys of this network namespace, and in it the hierarchies as this cgroup namespace sees them.
mount_sys() {
	local mounts top type options
	mounts=$(sed -n 's/^\S* \(\S*\) \(cgroup2\?\) \(\S*\) .*/\1 \2 \3/p' /proc/mounts)
	umount -R -l /sys
	mount -t sysfs sysfs /sys
	[[ $mounts == "/sys/fs/cgroup cgroup2 "* ]] || mount -t tmpfs -o mode=755 cgroups /sys/fs/cgroup
	while read -r top type options; do
		mkdir -p "$top"
		options=$(tr , '\n' <<<"$options" | grep -Evx 'rw|ro|nosuid|nodev|noexec|relatime|nsdelegate' | paste -sd ,)
		mount -t "$type" ${options:+-o "$options"} "$type" "$top"
	done <<<"$mounts"
}

# /etc and /var can be written to; tmpfs where engines keep their data, because an overlay can't be another's upper layer.
mount_folders() {
	local folder
	mount -t tmpfs -o mode=755 engine "$HOLM_SANDBOX"
	for folder in etc var; do
		mkdir -p "$HOLM_SANDBOX/$folder" "$HOLM_SANDBOX/.$folder"
		mount -t overlay -o "lowerdir=/$folder,upperdir=$HOLM_SANDBOX/$folder,workdir=$HOLM_SANDBOX/.$folder" "$folder" "/$folder"
	done
	for folder in /run /tmp /var/tmp /var/lib/containers /var/lib/docker /var/lib/containerd /var/lib/buildkit /home; do
		mkdir -p "$folder"
		mount -t tmpfs -o mode=755 "${folder##*/}" "$folder"
	done
	chmod 1777 /tmp /var/tmp
	mkdir -p /run/lock /run/test /run/engine /run/home/.docker
	echo '{}' >/run/home/.docker/config.json
}

mount_sys
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
	for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control; done
fi
mount_folders
[ "$RUNTIME" != holm ] || { install -m 755 "$HOLM" /run/engine/holm && runtime=/run/engine/holm; }
ip link set lo up
echo 0 >/proc/sys/net/ipv4/ip_forward # a host that forwards hands that on; Docker's rules differ then
hostname engine
export HOME=/run/home DOCKER_CONFIG=/run/home/.docker HOLM_TEST_DIR=/run/test
unset XDG_RUNTIME_DIR TMPDIR
HOLM=$runtime
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh

# shellcheck source=tests/engines/say.sh
. tests/engines/say.sh
cd "$work" || exit 1
