#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A running payload that prepares its container for whoever comes in next: exec, kill, delete (security.md, classes B, E, F, G).
# timeout: 200
# tags: host
# where: host
. "$(dirname "$0")/lib.sh"
powerful='.process.capabilities |= map_values(["CAP_SYS_ADMIN", "CAP_MKNOD", "CAP_DAC_OVERRIDE", "CAP_CHOWN", "CAP_FOWNER", "CAP_SYS_CHROOT"])
	| .process.noNewPrivileges = false'
quick() {
	timeout 10 "$HOLM" --root "$state" "$@" </dev/null
}

# --- a /proc that lies -------------------------------------------------------------------------------------------------
# shellcheck disable=SC2016 # for the payload's shell
bundle "$powerful" '.linux.maskedPaths = [] | .linux.readonlyPaths = []' -- sh -c '
	mkdir -p /fake/self/attr /fake/thread-self/attr /fake/1 /fake/sys/kernel
	for f in self/oom_score_adj self/attr/exec thread-self/attr/exec sys/kernel/core_pattern self/timens_offsets; do
		[ -d "/fake/${f%/*}" ] && : >"/fake/$f"
	done
	mount --bind /fake /proc && echo lies
	exec sleep 1000'
own_root
run_detached
wait_for 5 grep -q lies "$work/$id.out"
jq '.process | .args = ["sleep", "1000"] | .oomScoreAdj = 321' "$bundle/config.json" >"$work/process.json"
check 'exec where the payload mounted over /proc' quick exec --detach --pid-file "$work/pid" --process "$work/process.json" "$id"
is 'oom_score_adj is set, and not in the fake' "$(cat "/proc/$(cat "$work/pid")/oom_score_adj")/$(cat "$root/fake/self/oom_score_adj")" '321/'
check 'a command without /proc' quick exec "$id" true
holm delete --force "$id"

# --- files that wait for us ---------------------------------------------------------------------------------------------
# shellcheck disable=SC2016
bundle "$powerful" -- sh -c '
	rm /etc/passwd /etc/group; mkfifo /etc/passwd /etc/group
	umount /dev/pts; rm -rf /dev/pts; mkdir /dev/pts; mkfifo /dev/pts/ptmx
	rm /dev/null; mkfifo /dev/null; rm /dev/tty; ln -s /etc/passwd /dev/tty
	rm -rf /work; mkfifo /work
	echo set; exec sleep 1000'
own_root
run_detached
wait_for 5 grep -q set "$work/$id.out"
got=$(quick exec --user 1000 "$id" sh -c 'echo "HOME=$HOME"' 2>&1)
is 'exec with a fifo as /etc/passwd does not wait for it' "$?/$got" '0/HOME=/'
quick exec --tty "$id" true >"$work/out" 2>&1
isnt 'exec with a fifo as the pty multiplexer does not wait for it' $? 124
refuses 'a fifo as working folder is refused' 'work' quick exec --cwd /work "$id" true
quick exec "$id" /etc/passwd >/dev/null 2>&1
isnt 'nor does a fifo as program' $? 124
holm delete --force "$id"

# --- devices ------------------------------------------------------------------------------------------------------------
read -r disk < <(lsblk -ndo MAJ:MIN 2>/dev/null | head -n 1)
if [ -n "${disk:-}" ] && [ "$HOLM_WHERE" = host ]; then
	bundle "$powerful" -- sh -c "mknod /tmp/disk b ${disk/:/ } && head -c 1 /tmp/disk >/dev/null && echo BROKEN; true"
	own_root
	unlike 'a device node of the host'"'"'s disk can be made, but not opened' "$(holm run "$id" 2>&1)" BROKEN
	config --argjson major "${disk%:*}" --argjson minor "${disk#*:}" \
		'.linux.resources.devices = [{"allow": true, "type": "b", "major": $major, "minor": $minor, "access": "rwm"}]'
	rm -f "$root/tmp/disk"
	like 'unless it is allowed' "$(holm run "$id" 2>&1)" BROKEN
	bundle "$powerful" -- sleep 1000
	own_root
	run_detached
	unlike 'not in an exec either' "$(quick exec "$id" sh -c "mknod /tmp/disk b ${disk/:/ } && head -c 1 /tmp/disk >/dev/null && echo BROKEN" 2>&1)" BROKEN
	holm delete --force "$id"
else
	skip 'a device node of the host'"'"'s disk' 'no disk'
fi
bundle "$powerful" -- sh -c 'mknod /tmp/kmsg c 1 11 && head -c 1 /tmp/kmsg && echo BROKEN; mknod /tmp/mem c 1 1 && head -c 1 /tmp/mem && echo BROKEN; true'
own_root
unlike 'nor /dev/kmsg and /dev/mem' "$(timeout 5 "$HOLM" --root "$state" run --bundle "$bundle" "$id" </dev/null 2>&1)" BROKEN

# --- standard streams are the caller's ---------------------------------------------------------------------------------------
bundle '.process.user = {"uid": 1000, "gid": 1000}' -- true
for kind in file pipe; do
	rm -f "$work/stream"
	if [ $kind = file ]; then : >"$work/stream"; else mkfifo "$work/stream"; fi
	before=$(stat -c '%u:%g %a' "$work/stream")
	quick run --bundle "$bundle" "$id" 0<>"$work/stream" 1<>"$work/stream" 2<>"$work/stream"
	is "a $kind as standard streams keeps owner and mode" "$(stat -c '%u:%g %a' "$work/stream")" "$before"
done
python3 - "$HOLM" --root "$state" run --bundle "$bundle" "$id" <<-'END'
	import os, socket, subprocess, sys
	a, b = socket.socketpair()
	before = os.fstat(b.fileno())
	status = subprocess.call(sys.argv[1:], stdin=b, stdout=b, stderr=b, timeout=10)
	after = os.fstat(b.fileno())
	sys.exit(status or (before.st_uid, before.st_mode) != (after.st_uid, after.st_mode))
END
is 'so does a socket' $? 0

# --- texts ------------------------------------------------------------------------------------------------------------------
# What an image says ends up in errors: it must not drive the terminal of who reads them, nor forge a line of the log.
bundle -- /bin/evil
own_root
printf '#!/\033]0;owned\007\r"forged\\\n' >"$root/bin/evil"
chmod 755 "$root/bin/evil"
quick --log "$work/log" --log-format json run --bundle "$bundle" "$id" 2>"$work/err" >/dev/null
is 'an error shows no control character of the image' "$(tr -d '[:print:]\n\t' <"$work/err" | wc -c)" 0
is 'and the log is one JSON object' "$(jq -s length <"$work/log" 2>&1)" 1
[ ! -d "$state/$id" ] || holm delete --force "$id"

# --- the end ----------------------------------------------------------------------------------------------------------------
# A payload that ignores everything, forks away and renames itself is still killed and its cgroup removed.
# shellcheck disable=SC2016
bundle -- sh -c 'trap "" TERM INT HUP QUIT; for i in 1 2 3 4 5 6 7 8; do (trap "" TERM HUP; while :; do (sleep 1000 & exec sleep 0.01); done) & done; echo up; wait; while :; do sleep 1; done'
config '.linux.resources = {"pids": {"limit": 200}}'
run_detached
wait_for 5 grep -q up "$work/$id.out"
check 'delete --force of a fork bomb' timeout 20 "$HOLM" --root "$state" delete --force "$id"
