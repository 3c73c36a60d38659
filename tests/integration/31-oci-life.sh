#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Operations and states: section B of tests/oci-checklist.md.
# where: host
# timeout: 240
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/oci.sh"
is_holm || skip_all 'about holm alone'

# no_effect NAME REGEX COMMAND...: it is refused, and the container $id is what it was
no_effect() {
	local name=$1 before after
	before=$(holm state "$id" 2>&1)
	one_line_refusal "$1" "$2" 1 "${@:3}"
	after=$(holm state "$id" 2>&1)
	[ "$before" = "$after" ] || not_ok "$name: the container has changed" "$before" "$after"
}
where_is() { # of the last container: its cgroups
	find /sys/fs/cgroup -type d -name "$id" 2>/dev/null
}

# Item 11: create makes everything but the process
bundle -- sh -c 'echo ran >/ran; echo out'
own_root
check 'create' create
is 'created' "$(status_of)" created
pid=$(pid_of)
isnt 'in namespaces of its own' "$(readlink "/proc/$pid/ns/mnt")" "$(readlink /proc/self/ns/mnt)"
like 'in its cgroup' "$(cat "/proc/$pid/cgroup")" "$id"
is 'its mounts are made' "$(grep -c ' /dev/pts ' "/proc/$pid/mountinfo")" 1
is 'the program did not run' "$(ls "$root/ran" 2>/dev/null)" ''
is 'nothing was said' "$(cat "$work/$id.out")" ''

# Item 15: config.json is not read again
cp "$bundle/config.json" "$work/kept"
config '.process.args = ["sh", "-c", "echo changed"] | .hostname = "changed" | .process.env = ["CHANGED=1"]'
# Items 13, 23: refused, without effect
no_effect 'the same id again' "$id.*exists" holm create "$id"
no_effect 'the same id, run' "$id.*exists" holm run "$id"
no_effect 'delete of a created container' 'created' holm delete "$id"
# Item 17
is 'start' "$(holm start "$id" 2>&1)" ''
wait_status stopped
is 'the program ran once, as the configuration was' "$(cat "$work/$id.out" "$root/ran" | xargs)" 'out ran'
no_effect 'start again' 'stopped' holm start "$id"
# Item 20
no_effect 'kill of a stopped container' 'not running' holm kill "$id" KILL
one_line_refusal 'exec in a stopped container' stopped 255 holm exec "$id" true
check 'delete' holm delete "$id"
is 'no cgroup is left' "$(where_is)" ''
is 'no state is left' "$(ls -d "$state/$id" 2>/dev/null)" ''
# Item 25
mv "$work/kept" "$bundle/config.json"
is 'the id can be used again' "$(holm run "$id")" out

# Items 12, 18, 20, 24, 27: no id, unknown id
for verb in create start state kill delete run pause resume ps update exec; do
	"$HOLM" --root "$state" $verb >"$work/out" 2>"$work/err"
	status=$?
	is "$verb without an id: exit status" $status 1
	like "$verb without an id: what is missing" "$(cat "$work/err")" 'requires'
done
for verb in start state kill delete pause resume ps; do
	one_line_refusal "$verb of an unknown id" "'unknown-$prefix'.*does not exist" 1 holm $verb "unknown-$prefix"
done
one_line_refusal 'exec in an unknown id' "'unknown-$prefix'.*does not exist" 255 holm exec "unknown-$prefix" true
one_line_refusal 'update of an unknown id' "does not exist" 1 holm update --memory 100M "unknown-$prefix"
check 'delete --force of an unknown id' holm delete --force "unknown-$prefix"
one_line_refusal 'create without a bundle' "config.json" 1 "$HOLM" --root "$state" create --bundle "$work" "$prefix-x"
is 'leaves nothing' "$(ls "$state")" ''

# Item 13: ids
for bad in . .. a/b ../a 'a b' $'a\tb' 'ä' 'a:b' 'a@b' 'a%b' '*' "$(printf 'x%.0s' {1..256})"; do
	one_line_refusal "id '${bad:0:10}'" 'invalid container id' 1 holm create -- "$bad"
	one_line_refusal "state of id '${bad:0:10}'" 'invalid container id|does not exist' 1 holm state -- "$bad"
done
for good in a A_+.-z0 .hidden "$prefix$(printf 'x%.0s' {1..200})" -- ; do
	[ "$good" != -- ] || continue
	check "id '${good:0:10}'" holm run "$good"
done
# The cache of seccomp programs lies in the same folder.
bundle '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["getppid"], "action": "SCMP_ACT_ERRNO"}]}' -- sleep 100
check 'a cache is there' holm run --detach "$id"
check 'no id is a name of our own' holm run --detach .seccomp
like 'and such a container is listed' "$(holm list --quiet)" '\.seccomp'
check 'it goes' holm delete --force .seccomp
check 'and the other' holm delete --force "$id"

# Item 14, 31: a create that fails leaves nothing: at every stage one
stages=(
	'.linux.namespaces[1].path = "/proc/self/ns/uts"' '.root.path = "/nowhere"' '.mounts += [{"destination": "/x", "type": "nosuch", "source": "x"}]'
	'.mounts += [{"destination": "/x", "source": "/nowhere", "options": ["bind"]}]' '.hooks.createRuntime = [{"path": "/bin/false"}]'
	'.hooks.createContainer = [{"path": "/bin/false"}]' '.process.args = ["/nowhere"]' '.process.apparmorProfile = "nosuch"'
	'.linux.resources.memory.limit = 4096' '.linux.sysctl = {"net.ipv4.nosuch": "1"}' '.process.cwd = "/bin/busybox"'
	'.process.user.gid = 4294967294 | .process.args = ["/nowhere"]')
for stage in "${stages[@]}"; do
	bundle "$stage"
	for verb in create run; do
		one_line_refusal "$verb fails: ${stage:0:50}" . 1 holm $verb "$id"
		is "$verb fails and leaves nothing" "$(left_behind)" ''
	done
done
no_file=$work/no-pid-file
bundle '.process.args = ["/nowhere"]'
holm create --pid-file "$no_file" "$id" >/dev/null 2>&1
is 'no pid file of a container that is not' "$(ls "$no_file" 2>/dev/null)" ''
bundle
one_line_refusal 'a pid file that can not be written' "'/nowhere/pid'" 1 holm create --pid-file /nowhere/pid "$id"
is 'leaves nothing' "$(left_behind)" ''

# Item 16: no process is fine for create, state and delete
bundle 'del(.process)'
check 'create without a process' create
is 'created' "$(status_of)" created
no_effect 'start without a process' 'process' holm start "$id"
one_line_refusal 'run without a process' 'process' 1 holm run "$id-2"
check 'delete' holm delete --force "$id"

# Items 19, 21: kill
for signal in TERM sigterm 15 SIGUSR1 usr2 37; do
	bundle -- sh -c 'trap "echo got 15; exit" TERM; trap "echo got 10; exit" USR1; trap "echo got 12; exit" USR2; trap "echo got 37; exit" 37 2>/dev/null; echo ready; while :; do sleep 0.05; done'
	[ "$signal" != 37 ] || continue
	run_detached
	wait_for 5 grep -q ready "$work/$id.out"
	check "kill $signal" holm kill "$id" $signal
	wait_status stopped
	like "signal $signal has arrived" "$(cat "$work/$id.out")" 'got 1[025]'
done
bundle -- sleep 1000
run_detached
for bad in NOSUCH 65 '9x'; do
	no_effect "signal '$bad'" "signal" holm kill "$id" "$bad"
done
refuses "signal '-2'" 'not defined: -2' holm kill "$id" -2
check 'signal 0' holm kill "$id" 0
check 'kill --all' holm kill --all "$id" KILL
wait_status stopped
check 'kill --all of a stopped container is no error' holm kill --all "$id" KILL
bundle
create
check 'TERM reaches a created container' holm kill "$id" TERM
check 'and ends it' wait_status stopped
check 'delete' holm delete "$id"
# Nobody answers them: the start socket's queue is full long before.
bundle
create
ask_often() {
	local n
	for ((n = 0; n < 24; n++)); do timeout 10 "$HOLM" --root "$state" state "$id" >"$work/asked" || return 1; done
}
check 'pause of a created container' holm pause "$id"
check 'it can be asked for its state as often as one likes' ask_often
is 'paused' "$(status_of)" paused
check 'resume' holm resume "$id"
is 'created again' "$(status_of)" created
kill -STOP "$(pid_of)"
check 'so can one that is stopped by a signal' ask_often
is 'it is still created' "$(status_of)" created
kill -CONT "$(pid_of)"
check 'start' holm start "$id"
check 'delete --force' holm delete --force "$id"

# Items 22, 23: delete
bundle -- sleep 1000
run_detached
no_effect 'start of a running container' 'running' holm start "$id"
no_effect 'delete of a running container' 'running' holm delete "$id"
check 'pause' holm pause "$id"
is 'paused' "$(status_of)" paused
no_effect 'pause again' 'paused' holm pause "$id"
no_effect 'start of a paused container' 'paused' holm start "$id"
no_effect 'delete of a paused container' 'paused' holm delete "$id"
check 'resume' holm resume "$id"
no_effect 'resume again' 'not paused' holm resume "$id"
holm pause "$id"
check 'delete --force of a paused container' holm delete --force "$id"
is 'nothing is left' "$(left_behind | grep -- "$id")" ''
parent=/$prefix-parent
bundle ".linux.cgroupsPath = \"$parent/one\"" -- sleep 1000
run_detached
other=$id
bundle ".linux.cgroupsPath = \"$parent/two\"" -- true
check 'a second one below the same parent' holm run "$id"
is 'its end leaves the other and the parent' "$(status_of "$other")" running
like 'the parent is there' "$(find /sys/fs/cgroup -type d -name "${parent#/}")" "$parent"
holm delete --force "$other"
find /sys/fs/cgroup -depth -type d -name "${parent#/}" -exec rmdir {} \; 2>/dev/null

# Items 26, 28: state
bundle '.annotations = {"a": "b"}' -- sleep 1000
check 'created from a relative bundle' eval '(cd "$work" && "$HOLM" --root "$state" create --bundle "${bundle##*/}" "$id" </dev/null >/dev/null 2>&1)'
text=$(holm state "$id")
fact 'version' "$text" '.ociVersion | test("^1\\.[0-9]+\\.[0-9]+")'
fact 'id, status, annotations' "$text" '[.id, .status, .annotations]' "[\"$id\",\"created\",{\"a\":\"b\"}]"
fact 'the bundle is absolute' "$text" .bundle "$bundle"
fact 'the pid is a number' "$text" '.pid | type' number
fact 'rootfs, created, owner' "$text" '[.rootfs, (.created | test("^20[0-9-]+T[0-9:.]+Z$")), (.owner | type)]' "[\"$rootfs\",true,\"string\"]"
# Item 29: the status after the end needs nobody to wait; a zombie and a reused pid are stopped
holm start "$id"
pid=$(pid_of)
kill -KILL "$pid"
check 'killed from outside: stopped' wait_status stopped
holm delete "$id"
python3 - "$HOLM" "$state" "$bundle" "$id" >"$work/zombie" <<'X'
import ctypes, json, subprocess, sys, time
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: the container becomes our child, and we never wait
holm, state, bundle, name = sys.argv[1:]
def run(*words):
    return subprocess.run([holm, "--root", state, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True).stdout
subprocess.run([holm, "--root", state, "run", "--detach", "--bundle", bundle, name], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
pid = json.loads(run("state", name))["pid"]
run("kill", name, "KILL")
time.sleep(0.2)
print(open("/proc/%d/stat" % pid).read().split(")")[1].split()[0], json.loads(run("state", name))["status"], flush=True)
run("delete", name)
X
is 'a zombie is stopped' "$(cat "$work/zombie")" 'Z stopped'
bundle -- sleep 1000
run_detached
pid=$(pid_of)
init=$(readlink "$state/$id/init")
ln -sfn "${init/#$pid /$$ }" "$state/$id/init"
is 'a pid that belongs to another process by now is stopped' "$(status_of)" stopped
ln -sfn "$init" "$state/$id/init"
is 'and with its own again it runs' "$(status_of)" running
holm delete --force "$id"

# Item 30: a warning does not stop anything
bundle '.process.capabilities.bounding += ["CAP_UNHEARD_OF"]' -- echo fine
text=$(holm run "$id" 2>"$work/warning")
is 'goes on after a warning' "$text" fine
like 'the warning names its place' "$(cat "$work/warning")" 'level=warning.*process.capabilities.bounding'
