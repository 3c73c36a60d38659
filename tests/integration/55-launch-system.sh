#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# where: host
# timeout: 120
#
# A whole system in an instance: systemd as its first process, by nothing but its name.  Its root is this host's own, beneath an overlay.
# (Not in the virtual machine: its kernel can't idmap what its root and memory are.)
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/launch.sh"
[ -x /lib/systemd/systemd ] || skip_all 'no systemd on this host'

# An overlay's upper folder may not lie below its lower one, so what the instance writes is kept in memory.
data=$(mktemp -d /dev/shm/holm-test.XXXXXX)
trap 'status=$?; remove_all; rm -rf "$data"; (exit $status); finish' EXIT
system=$prefix-system

is_up() {
	case $(holm exec "$system" systemctl is-system-running 2>/dev/null) in running | degraded) ;; *) return 1 ;; esac
}

holm launch --name "$system" --network none --rootfs / -m 256M /lib/systemd/systemd --unit=basic.target >"$work/said" 2>&1
is 'it starts' "$(cat "$work/said")" "$system"
[ "$(cat "$work/said")" = "$system" ] || exit 0
check 'it gets through its start' wait_for 60 is_up
is 'every unit that a system needs' "$(holm exec "$system" systemctl is-active basic.target systemd-journald.service 2>&1 | sort -u)" active
is 'nothing failed' "$(holm exec "$system" systemctl --failed --no-legend --plain 2>&1)" ''
is 'it knows where it is' "$(holm exec "$system" systemd-detect-virt --container 2>&1)" container-other
check 'its console is the log' wait_for 10 has_output system 'Reached target'
check 'it runs a service' holm exec "$system" systemd-run --quiet --wait --collect -p MemoryMax=32M /bin/true
like 'in a cgroup of its own' "$(holm exec "$system" systemd-run --quiet --wait --pipe cat /proc/self/cgroup)" '/system.slice/run-.*\.service'
check 'it has a journal' holm exec "$system" journalctl --quiet --no-pager -u systemd-journald
like 'it cannot leave what its cgroups may' "$(holm exec "$system" sh -c 'mount -t tmpfs none /mnt' 2>&1)" 'permission denied|not permitted'
check 'it is asked to halt' holm stop "$system"
fact 'and does' "$(holm inspect "$system")" '.[0] | [.status, .end.exitStatus, .end.asked] | tostring' '["stopped",0,true]'
check 'and starts again' holm start "$system"
check 'wholly' wait_for 60 is_up
check 'it goes' holm remove --force "$system"
is 'and leaves nothing' "$(find /sys/fs/cgroup -type d -name "*$system*" 2>/dev/null)" ''
