#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Inside another cgroup namespace, as in a container that has holm in it: limits hold below what is seen as the root.
# where: bare
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/limits.sh"

outer=/sys/fs/cgroup/$prefix-outer
mkdir -p "$outer/inner"
echo '+memory +pids +cpu' >/sys/fs/cgroup/cgroup.subtree_control
echo '+memory +pids +cpu' >"$outer/cgroup.subtree_control"

# inside COMMAND...: in the namespace whose root is $outer/inner
inside() {
	# shellcheck disable=SC2016
	bash -c 'echo $$ >"$0/cgroup.procs" && exec unshare -C -m --propagation private bash -c '\''
		umount /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && exec "$@"'\'' bash "$@"' "$outer/inner" "$@"
}
# hold: the caller goes into a leaf first, so that the root that is seen has no process; the namespaces are held
hold() {
	# shellcheck disable=SC2016
	inside bash -c 'mkdir /sys/fs/cgroup/leaf && echo $$ >/sys/fs/cgroup/leaf/cgroup.procs && exec sleep 3600' &
	wait_for 10 grep -q . "$outer/inner/leaf/cgroup.procs"
	holder=$(head -n 1 "$outer/inner/leaf/cgroup.procs")
}
# beside COMMAND...: in the held namespaces
beside() {
	# shellcheck disable=SC2016
	bash -c 'echo $$ >"$0/leaf/cgroup.procs" && exec nsenter -t "$1" -C -m "${@:2}"' "$outer/inner" "$holder" "$@"
}

bundle -- cat /proc/self/cgroup
like 'without limits it runs beside the processes of the root that is seen' "$(inside "$HOLM" --root "$state" run --bundle "$bundle" "$id" 2>&1)" '^0::/'
bundle '.linux.resources.memory.limit = 33554432'
refuses 'a limit is refused there, with the reason' 'memory.limit: can.t enable .*it has processes of its own' \
	inside "$HOLM" --root "$state" run --bundle "$bundle" "$id"
bundle '.linux.resources.pids.limit = 9'
refuses 'one of a threaded controller, too' 'pids.limit: can.t enable .*it has processes of its own' \
	inside "$HOLM" --root "$state" run --bundle "$bundle" "$id"
bundle '.linux.resources = {memory: {limit: 33554432, swap: 33554432}, pids: {limit: 9}}' \
	-- sh -c 'probe eat 64M; exec sleep 600'
hold
check 'limits can be had beside a leaf' beside "$HOLM" --root "$state" run --detach --bundle "$bundle" "$id"
wait_for 10 test -e "$outer/inner/holm-$id/memory.max"
is 'they are there, seen from outside' "$(cat "$outer/inner/holm-$id/"{memory,pids}.max | xargs)" '33554432 9'
killed() { grep -q '^oom_kill 1' "$outer/inner/holm-$id/memory.events"; }
check 'and hold' wait_for 20 killed
check 'update' beside "$HOLM" --root "$state" update --pids-limit 12 --memory-high 30M "$id"
is 'arrives' "$(cat "$outer/inner/holm-$id/"{pids.max,memory.high} | xargs)" '12 31457280'
check 'pause' beside "$HOLM" --root "$state" pause "$id"
is 'freezes' "$(cat "$outer/inner/holm-$id/cgroup.freeze")" 1
check 'delete' beside "$HOLM" --root "$state" delete --force "$id"
is 'removes' "$(find "$outer" -name "holm-$id")" ''
bundle '.linux.resources.pids.limit = 9'
config '.linux.cgroupsPath = $p' --arg p "/given/$id"
check 'a path is one of the namespace' beside "$HOLM" --root "$state" run --bundle "$bundle" "$id"
is 'and lies in it' "$(find /sys/fs/cgroup -type d -name given)" "$outer/inner/given"

kill $holder
gone() { ! grep -q . "$outer/inner/leaf/cgroup.procs"; }
wait_for 10 gone
rmdir "$outer/inner/given" "$outer/inner/leaf" "$outer/inner" "$outer"
