#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# containerd with ctr.
# timeout: 200
# shellcheck disable=SC2034 # lib.sh reads it
needs=(containerd ctr ip)
# shellcheck source=tests/engines/lib.sh
. "$(dirname "$0")/lib.sh"

cat >/run/engine/config.toml <<CONF
version = 2
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper"]
CONF
ctr() {
	timeout -k 1 $((20 * HOLM_TIMESCALE)) /usr/bin/ctr "$@"
}
# ctr 1.6 may lose the output of what ends before it has opened the pipe, with any runtime: what said nothing is done once more.
told() {
	local status=0
	"$@" >told 2>&1 </dev/null || status=$?
	if [ $status -eq 0 ] && [ ! -s told ]; then "$@" >told 2>&1 </dev/null || status=$?; fi
	cat told
	return $status
}
run() {
	local how=told
	[ "$1" != -d ] || how=
	$how ctr run --runc-binary "$runtime" "$@" </dev/null
}

mkdir /run/engine/bin
ln -s "$runtime" /run/engine/bin/runc
PATH=/run/engine/bin:$PATH containerd --config /run/engine/config.toml >/run/engine/containerd.log 2>&1 &
check 'containerd starts' wait_for 10 ctr version || cat /run/engine/containerd.log

echo "# $(containerd --version | cut -d ' ' -f 1,3), $("$runtime" --version | head -n 1)"

oci_image image.tar test/isle:1 '["/bin/sh"]'
ctr_events() {
	timeout $((600 * HOLM_TIMESCALE)) /usr/bin/ctr events >"$work/events" 2>&1
}
ctr_events &
check 'import an image' ctr images import image.tar
is 'images ls' "$(ctr images ls -q)" test/isle:1

# --- run -----------------------------------------------------------------------------------------------------------------

exits 'run --rm: output and status 0' 0 '^hello$' run --rm test/isle:1 r1 echo hello
exits 'run --rm: status of the payload' 9 '' run --rm test/isle:1 r2 sh -c 'exit 9'
exits 'run: command not found' 1 'executable file not found' run --rm test/isle:1 r3 nosuch
exits 'run: a path not found' 1 'no such file' run --rm test/isle:1 r4 /no/such
exits 'run: not executable' 1 'permission denied' run --rm test/isle:1 r5 /etc/text
# ctr 1.6 doesn't pass on the end of its input
is 'run: input' "$(echo text | ctr run --rm --runc-binary "$runtime" test/isle:1 r6 head -n 1)" text
is 'run -t: a terminal' "$(on_terminal ctr run --rm -t --runc-binary "$runtime" test/isle:1 r7 tty)" /dev/pts/0
exits 'run: environment, working folder' 0 '^v /tmp$' run --rm --env K=v --cwd /tmp test/isle:1 r8 sh -c 'echo $K $PWD'
exits 'run --read-only' 1 'Read-only' run --rm --read-only test/isle:1 r9 touch /file
mkdir folder && echo outside >folder/file
exits 'run --mount' 0 '^outside$' run --rm --mount "type=bind,src=$PWD/folder,dst=/mnt,options=rbind:ro" test/isle:1 r10 cat /mnt/file
exits 'run --net-host' 0 'lo' run --rm --net-host test/isle:1 r11 ls /sys/class/net
exits 'run --privileged' 0 ' /sys sysfs rw' run --rm --privileged test/isle:1 r12 grep ' /sys ' /proc/mounts
run -d --memory-limit 20971520 --cpus 0.5 test/isle:1 r13 sleep 100
is 'run --memory-limit' "$(cat "$(cgroup_of "$(ctr tasks ls | awk '$1 == "r13" { print $2 }')")"/memory.{max,limit_in_bytes} 2>/dev/null)" 20971520
is 'run --cpus' "$(cat /sys/fs/cgroup/cpu/default/r13/cpu.cfs_quota_us 2>/dev/null || cut -d ' ' -f 1 /sys/fs/cgroup/default/r13/cpu.max)" 50000
ctr tasks delete --force r13 >/dev/null 2>&1
ctr containers rm r13
exits 'run --cgroup' 0 '^yes$' run --rm --cgroup /own/group test/isle:1 r15 echo yes
exits 'run --seccomp' 0 'Seccomp:.2' run --rm --seccomp test/isle:1 r16 grep Seccomp: /proc/self/status
exits 'run --with-ns: another network' 0 'lo' bash -c \
	'ip netns add n1 && timeout $((20 * HOLM_TIMESCALE)) ctr run --rm --runc-binary "$0" --with-ns network:/run/netns/n1 test/isle:1 r17 ls /sys/class/net' "$runtime"
exits 'run --uidmap' 0 '^0 0 100000 65536$' run --rm --uidmap 0:100000:65536 --gidmap 0:100000:65536 test/isle:1 r18 \
	sh -c 'echo $(id -u) $(cat /proc/self/uid_map)'
exits 'run --cap-drop' 0 'CapEff:.00000000a80425fa' run --rm --cap-drop CAP_CHOWN test/isle:1 r19 grep CapEff /proc/self/status
exits 'run --cap-add' 0 'CapEff:.00000000a80435fb' run --rm --cap-add CAP_NET_ADMIN test/isle:1 r20 grep CapEff /proc/self/status
exits 'run --device' 0 '10, *229' run --rm --device /dev/fuse test/isle:1 r21 ls -l /dev/fuse
exits 'run --rootfs' 0 '^hello$' run --rm --rootfs "$image_root" r22 /bin/echo hello
exits 'run --no-pivot' 0 '^hello$' run --rm --no-pivot test/isle:1 r23 echo hello
exits 'run --rootfs-propagation' 0 '^hello$' run --rm --rootfs-propagation rslave test/isle:1 r24 echo hello
exits 'OOM: killed' 137 '' run --rm --memory-limit 16777216 test/isle:1 r25 probe eat 64
# With cgroup v2 the shim looks at memory only once the task has started: what is killed at once may go unsaid.
run -d --memory-limit 16777216 test/isle:1 r27 sleep 1000
exits 'OOM of an exec: killed' 137 '' ctr tasks exec --exec-id eater r27 probe eat 64
check 'OOM of an exec: said' wait_for 5 grep -q '/tasks/oom.*r27' events
ctr tasks delete --force r27 >/dev/null 2>&1
ctr containers rm r27
jq --arg root "$image_root" '.root.path = $root | .process.args = ["echo", "from a file"]' <<<"$default_config" >config.json
exits 'run --config' 0 '^from a file$' run --rm --config "$PWD/config.json" r26

# --- a life ----------------------------------------------------------------------------------------------------------------

check 'run -d' run -d test/isle:1 c1 sleep 1000
like 'tasks ls' "$(ctr tasks ls)" 'c1 +[0-9]+ +RUNNING'
exits 'exec' 0 '^of the image$' told ctr tasks exec --exec-id e1 c1 cat /data/file
exits 'exec: status' 5 '' ctr tasks exec --exec-id e2 c1 sh -c 'exit 5'
exits 'exec: not found' 1 'executable file not found' ctr tasks exec --exec-id e3 c1 nosuch
exits 'exec: user and folder' 0 '^1000 /tmp$' told ctr tasks exec --exec-id e4 --user 1000 --cwd /tmp c1 sh -c 'echo $(id -u) $PWD'
like 'exec -t' "$(on_terminal ctr tasks exec -t --exec-id e5 c1 tty)" /dev/pts/0
is 'exec: input' "$(echo text | ctr tasks exec --exec-id e6 c1 head -n 1)" text
check 'exec -d' ctr tasks exec -d --exec-id e7 c1 sleep 999
is 'ps' "$(ctr tasks ps c1 | grep -c '^[0-9]')" 2
like 'metrics' "$(ctr tasks metrics --format json c1)" '"usage"'
check 'pause' ctr tasks pause c1
like 'pause: state' "$(ctr tasks ls)" 'c1 +[0-9]+ +PAUSED'
check 'resume' ctr tasks resume c1
attach_to_writer() {
	run -d test/isle:1 c4 sh -c 'until [ -e /go ]; do sleep 0.1; done; echo attached; sleep 0.2' >/dev/null
	timeout $((20 * HOLM_TIMESCALE)) /usr/bin/ctr tasks attach c4 >attached </dev/null &
	local attacher=$!
	sleep 0.3
	ctr tasks exec --exec-id go c4 touch /go
	wait $attacher
}
attach_to_writer
is 'attach' "$(cat attached)" attached
ctr tasks delete c4 >/dev/null 2>&1
ctr containers rm c4
exits 'checkpoint is refused clearly' 1 'checkpoint|criu' ctr tasks checkpoint c1
like 'and harms not' "$(ctr tasks ls)" 'c1 +[0-9]+ +RUNNING'
check 'kill' ctr tasks kill -s SIGKILL --all c1
check 'kill: it stops' wait_for 5 eval '[[ $(ctr tasks ls) == *STOPPED* ]]'
exits 'tasks delete tells the status' 0 'exit code 137' ctr tasks delete c1
check 'start again' ctr tasks start -d c1
check 'tasks delete --force' eval 'ctr tasks delete --force c1; [[ $(ctr tasks ls) != *c1* ]]'
check 'containers rm' ctr containers rm c1
# This verb has no --runc-binary: the shim finds "runc" in its PATH, which is a folder of this check's.
check 'a life in two halves: create' ctr containers create test/isle:1 c2 cat /data/file
exits 'start' 0 '^of the image$' ctr tasks start c2
check 'rm' ctr containers rm c2
run -d test/isle:1 c3 sh -c 'trap "exit 4" TERM; while :; do sleep 0.1; done'
ctr tasks kill -s TERM c3
check 'a signal is handled' wait_for 5 eval '[[ $(ctr tasks ls) == *STOPPED* ]]'
exits 'its status' 0 'exit code 4' ctr tasks delete c3
ctr containers rm c3
# ctr 1.6 may lose the output of one that ends before it has opened the pipe, with any runtime.
started=$(seq 10 | xargs -P 5 -I{} ctr run --rm --runc-binary "$runtime" test/isle:1 m{} sh -c 'sleep 0.3; echo {}' 2>&1 | sort -n | paste -sd ' ')
is 'ten at once' "$started" '1 2 3 4 5 6 7 8 9 10'
like 'events' "$(grep -o ' /tasks/[a-z-]*' events | sort -u | tr -d ' ' | paste -sd ' ')" \
	'/tasks/create /tasks/delete /tasks/exec-added /tasks/exec-started /tasks/exit /tasks/oom /tasks/paused /tasks/resumed /tasks/start'
is 'no task is left' "$(ctr tasks ls -q; ctr containers ls -q)" ''
is 'the runtime has no record left' "$(find /run/containerd/runc -mindepth 2 ! -name :seccomp ! -path '*/:seccomp/*')" ''
