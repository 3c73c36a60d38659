#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a process inherits without anybody asking: signals, groups, capabilities, umask, affinity, descriptors of a careless or
# hostile caller never reach the payload (security.md, classes C and G).
# where: host
. "$(dirname "$0")/lib.sh"
dirty=$BUILD/tests/attack/dirty
sections=(ids fds status limits process signals)

# What differs from start to start, and what the caller may decide (stdio).
normal() {
	jq -S 'del(.fds["0"], .fds["1"], .fds["2"], .ids.pid, .ids.pgid, .ids.sid) | del(.status | .Pid?, .NSpid?, .PPid?, .Tgid?, .NStgid?, .NSpgid?, .NSsid?, .Ngid?, .VmPeak?, .VmSize?, .VmHWM?, .VmRSS?, .VmData?, .VmStk?, .RssAnon?, .RssFile?, .VmPTE?, .voluntary_ctxt_switches?, .nonvoluntary_ctxt_switches?, .SigQ?)'
}

bundle -- /bin/probe "${sections[@]}"
clean=$(holm run "$id" </dev/null | normal)
fact 'a clean start: no signal is ignored or blocked' "$clean" '.signals == {"blocked": [], "ignored": []}'
fact 'a clean start: no groups' "$clean" '.ids.groups // [] | length' 0

dirty_holm() {
	local verb=$1
	shift
	case $verb in
	create | run) "$dirty" "$HOLM" --root "$state" "$verb" --bundle "$bundle" "$@" ;;
	*) "$dirty" "$HOLM" --root "$state" "$verb" "$@" ;;
	esac
}

bundle -- /bin/probe "${sections[@]}"
got=$(dirty_holm run "$id" </dev/null 2>"$work/err" | normal)
is 'run from a dirty caller: the payload sees the same' "$(diff <(printf '%s\n' "$clean") <(printf '%s\n' "$got"))" ''

bundle -- /bin/probe "${sections[@]}"
dirty_holm create "$id" </dev/null >"$work/out" 2>"$work/err"
dirty_holm start "$id" </dev/null 2>>"$work/err"
wait_status stopped
got=$(normal <"$work/out")
is 'create and start from a dirty caller' "$(diff <(printf '%s\n' "$clean") <(printf '%s\n' "$got"))" ''
holm delete "$id"

bundle -- sleep 1000
run_detached
holm exec "$id" /bin/probe "${sections[@]}" </dev/null 2>/dev/null | normal >"$work/clean"
dirty_holm exec "$id" /bin/probe "${sections[@]}" </dev/null 2>"$work/err" | normal >"$work/dirty"
is 'exec from a dirty caller' "$(diff "$work/clean" "$work/dirty")" ''
holm delete --force "$id"

# hooks are helpers of the host: they too start clean
bundle '.hooks = {createRuntime: [{path: $ENV.probe, args: ["probe", "signals", "fds"]}],
	poststop: [{path: "/bin/sh", args: ["sh", "-c", "grep -E \"^Sig(Blk|Ign)\" /proc/self/status >hook.out; ls /proc/self/fd >>hook.out"]}]}' -- true
config '.hooks |= {poststop: .poststop, createRuntime: .poststop}'
dirty_holm run "$id" </dev/null >/dev/null 2>"$work/err"
is 'a hook finds no signal blocked or ignored (32 and 33 are libc'"'"'s), and three descriptors' \
	"$(tr '\n\t' ' ' <"$bundle/hook.out" 2>&1)" 'SigBlk: 0000000000000000 SigIgn: 0000000180000000 0 1 2 3 '

# files that holm makes have the modes that it means, whatever the umask
bundle -- sleep 1000
own_root
config '.mounts += [{destination: "/made/here", type: "tmpfs", source: "tmpfs"}]'
dirty_holm run --detach --pid-file "$work/pid" "$id" </dev/null >"$work/out" 2>&1
is 'a mount target made by holm is 0755' "$(stat -c %a "$root/made" "$root/made/here" 2>&1 | tr '\n' ' ')" '755 755 '
is 'the state folder is for its owner alone' "$(stat -c %a "$state/$id")" 700
like 'the pid file can be read by its owner' "$(stat -c %a "$work/pid")" '^[46]'
holm delete --force "$id"
