#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The library of cgroups/ on this host's hierarchies: limits, devices, freezing, updates, events, the end (tests/drive/cgroups.c).
# timeout: 180
# where: host bare systemd
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cgroups.sh"
[ "$(id -u)" -eq 0 ] || skip_all 'needs root'
drive=$BUILD/tests/drive/cgroups

run_driver "$drive" lib "$prefix"
like 'holm check has rows' "$("$drive" check)" 'yes memory.limit'
[ "$HOLM_WHERE" != systemd ] || run_driver "$drive" systemd "$prefix"

# The other kinds of host that this one can be made to look like.
private() {
	unshare -m --propagation private bash -c "$@"
}
if [ "$(stat -fc %T /sys/fs/cgroup)" = tmpfs ]; then
	# shellcheck disable=SC2016
	run_driver private '! mountpoint -q /sys/fs/cgroup/unified || umount /sys/fs/cgroup/unified; exec "$0" "$@"' \
		"$drive" lib "${prefix}l"
	# shellcheck disable=SC2016
	run_driver private 'mount -t cgroup2 none /sys/fs/cgroup && exec "$0" "$@"' "$drive" bare "${prefix}v"
fi
