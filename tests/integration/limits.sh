# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the tests of limits share; sourced after lib.sh.  Control files are looked up on the host, in both dialects.

# cgroup_file FILE...: the path of the first of these in any cgroup of $id
cgroup_file() {
	local folder name
	while IFS= read -r folder; do
		for name; do
			[ ! -e "$folder/$name" ] || { echo "$folder/$name"; return; }
		done
	done < <(find /sys/fs/cgroup -type d -name "*$id" -o -type d -name "*$id.scope" 2>/dev/null)
	return 1
}

# limit FILE...: what stands in it
limit() {
	local path
	path=$(cgroup_file "$@") || { echo "no $1"; return; }
	cat "$path"
}

# Where this host has the memory, pids ... controllers: v1 or v2.
speaks() {
	if [ -d "/sys/fs/cgroup/$1" ] && [ ! -e /sys/fs/cgroup/cgroup.controllers ]; then echo v1; else echo v2; fi
}

# has_controller NAME
has_controller() {
	grep -qw "$1" /sys/fs/cgroup/cgroup.controllers /sys/fs/cgroup/unified/cgroup.controllers 2>/dev/null || [ -d "/sys/fs/cgroup/$1" ]
}
