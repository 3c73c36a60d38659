#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# process: arguments, environment, ids, capabilities, limits, scheduling, signals, descriptors; the same for exec.
# where: host bare
# timeout: 180
. "$(dirname "$0")/lib.sh"

refuse_run() {
	refuses "$1" "$2" holm run "$id"
}

bundle '.process.env = ["PATH=/bin", "A=1", "EMPTY=", "SPACE=a b", "A=2"] | .process.cwd = "/var/tmp"'
text=$(SECRET=host probe_run args env cwd fds signals ids status process keyring)
fact 'arguments' "$text" '.args | length' 10
fact 'the last of two wins' "$text" '[.env[] | select(startswith("A="))][-1]' A=2
fact 'an empty variable' "$text" '.env | index("EMPTY=") != null'
fact 'a space' "$text" '.env | index("SPACE=a b") != null'
fact 'nothing of the host' "$text" '[.env[] | select(test("SECRET|HOLM"))]' '[]'
fact 'HOME comes from the passwd of the root' "$text" '.env | index("HOME=/root") != null'
fact 'cwd' "$text" .cwd /var/tmp
fact 'three descriptors' "$text" '.fds | keys' '["0","1","2"]'
fact 'no signal is blocked' "$text" .signals.blocked '[]'
fact 'none is ignored' "$text" .signals.ignored '[]'
fact 'no groups' "$text" .ids.groups '[]'
fact 'the umask is 0022' "$text" .process.umask 0022
fact 'no_new_privs' "$text" .process.no_new_privs 1
fact 'it leads a session' "$text" '.ids.sid == .ids.pid'
fact 'a keyring of its own' "$text" ".keyring | test(\"$id|_ses\")"

# From a caller that ignores and blocks
bundle
text=$(
	trap '' HUP INT TERM PIPE CHLD USR1
	umask 077
	exec 7</etc/passwd 8</
	probe_run signals fds process
)
fact 'ignored signals are reset' "$text" .signals.ignored '[]'
fact "the caller's descriptors are closed" "$text" '.fds | keys' '["0","1","2"]'
fact "the caller's umask is not handed on" "$text" .process.umask 0022
bundle '.process.user = {"uid": 1000, "gid": 1000, "additionalGids": [5, 7], "umask": 63}'
text=$(probe_run ids process env status)
fact 'user and group' "$text" '[.ids.uid, .ids.gid]' '[[1000,1000,1000],[1000,1000,1000]]'
fact 'additional groups' "$text" '.ids.groups | sort' '[5,7]'
fact 'umask' "$text" .process.umask 0077
fact 'HOME of that user' "$text" '.env | index("HOME=/home") != null'
fact 'an ordinary user has no effective capability' "$text" .status.CapEff 0000000000000000

bundle '.process.cwd = "/made/here"'
own_root
fact 'a missing cwd is made' "$(probe_run cwd)" .cwd /made/here
bundle '.process.cwd = "relative"'
refuse_run 'a relative cwd' cwd
bundle 'del(.process.cwd)'
refuse_run 'no cwd' cwd
bundle '.process.args = []'
refuse_run 'no arguments' args
bundle -- /not/there
refuse_run 'a program that is not there' '/not/there.*([Nn]o such file|not found)'
bundle -- not-in-path
refuse_run 'a program that is not in PATH' 'not-in-path.*not found|executable file not found'
bundle -- /etc/passwd
refuse_run 'a program that is not executable' '[Pp]ermission denied'
bundle -- /etc
refuse_run 'a folder' '[Pp]ermission denied|[Ii]s a directory'
! is_holm || { bundle '.process.env = ["NOEQUALS"]'; refuse_run 'a variable without =' env; }

# Capabilities
bundle '.process.capabilities = {"bounding": ["CAP_KILL", "CAP_CHOWN"], "permitted": ["CAP_KILL", "CAP_CHOWN"],
	"effective": ["CAP_KILL"], "inheritable": ["CAP_KILL", "CAP_CHOWN"], "ambient": ["CAP_CHOWN"]}' '.process.user.uid = 1000'
text=$(probe_run status)
for set in CapBnd:0000000000000021 CapPrm:0000000000000001 CapInh:0000000000000021 CapAmb:0000000000000001; do
	fact "capabilities: ${set%:*}" "$text" ".status.${set%:*}" "${set#*:}"
done
bundle '.process.capabilities = {}'
text=$(probe_run status)
for set in CapBnd CapPrm CapInh CapEff CapAmb; do fact "empty capabilities: $set" "$text" ".status.$set" 0000000000000000; done
bundle '.process.capabilities.bounding += ["CAP_UNHEARD_OF"]'
is 'an unknown capability is no reason to stop' "$(holm run "$id" >/dev/null 2>&1; echo $?)" 0
bundle '.process.capabilities[] += ["CAP_SYS_RESOURCE", "CAP_SYS_MODULE"]'
! is_holm || is 'nor is one that cannot be granted here' "$(holm run "$id" >/dev/null 2>&1; echo $?)" 0
bundle '.process.noNewPrivileges = false'
fact 'no_new_privs off' "$(probe_run process)" .process.no_new_privs 0

# Limits
bundle '.process.rlimits = [{"type": "RLIMIT_NOFILE", "soft": 64, "hard": 128}, {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
	{"type": "RLIMIT_FSIZE", "soft": 1000000, "hard": 2000000}]'
text=$(probe_run limits)
fact 'limits' "$text" '[.limits.RLIMIT_NOFILE, .limits.RLIMIT_CORE, .limits.RLIMIT_FSIZE]' \
	'[{"soft":64,"hard":128},{"soft":0,"hard":0},{"soft":1000000,"hard":2000000}]'
bundle '.process.rlimits = []'
fact 'without limits: those of the caller' "$(probe_run limits)" '.limits.RLIMIT_NOFILE' "$("$probe" limits | jq -c .limits.RLIMIT_NOFILE)"
bundle '.process.rlimits = [{"type": "RLIMIT_FOO", "soft": 1, "hard": 1}]'
refuse_run 'an unknown limit' RLIMIT_FOO
bundle '.process.rlimits = [{"type": "RLIMIT_NOFILE", "soft": 2, "hard": 1}]'
refuse_run 'soft above hard' 'RLIMIT_NOFILE|rlimit|[Ii]nvalid argument'
! is_holm || { bundle '.process.rlimits = [{"type": "RLIMIT_CORE", "soft": 1, "hard": 1}, {"type": "RLIMIT_CORE", "soft": 1, "hard": 1}]'
	refuse_run 'a limit given twice' rlimits; }

# Scheduling and the like
bundle '.process.oomScoreAdj = 321'
fact 'oomScoreAdj' "$(probe_run process)" .process.oom_score_adj 321
if [ "$(id -u)" -eq 0 ]; then
	bundle '.process.oomScoreAdj = 321 | .linux.namespaces += [{"type": "user"}]' \
		'.linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}] | .linux.gidMappings = .linux.uidMappings'
	fact 'oomScoreAdj in a user namespace' "$(probe_run process)" .process.oom_score_adj 321
	config '.process.args = ["sleep", "1000"]'
	run_detached
	is 'oomScoreAdj in a user namespace: exec' "$(holm exec "$id" cat /proc/self/oom_score_adj)" 321
fi
bundle '.process.scheduler = {"policy": "SCHED_BATCH", "nice": 7}'
text=$(probe_run process)
fact 'scheduler' "$text" '[.process.policy, .process.nice]' '[3,7]'
bundle '.process.scheduler = {"policy": "SCHED_WISH"}'
refuse_run 'an unknown scheduler' SCHED_WISH
bundle '.process.ioPriority = {"class": "IOPRIO_CLASS_BE", "priority": 6}'
fact 'ioPriority' "$(probe_run process)" .process.ioprio '{"class":2,"level":6}'
bundle '.linux.personality = {"domain": "LINUX32"}' -- uname -m
is 'personality' "$(holm run "$id")" "$(setarch linux32 uname -m)"
bundle '.linux.personality = {"domain": "LINUX64"}'
refuse_run 'an unknown personality' 'LINUX64|personality'
bundle '.linux.memoryPolicy = {"mode": "MPOL_PREFERRED", "nodes": "0"}'
! is_holm || fact 'memoryPolicy' "$(probe_run process)" .process.mempolicy 1
bundle '.process.apparmorProfile = "no-such-profile"'
! is_holm || refuse_run 'a profile without AppArmor' '[Aa]pp[Aa]rmor|no-such-profile'
bundle '.process.selinuxLabel = "system_u:system_r:svirt_t:s0"'
! is_holm || refuse_run 'a label without SELinux' '[Ss][Ee][Ll]inux'
bundle '.linux.intelRdt = {"closID": "guaranteed"}'
[ -d /sys/fs/resctrl/info ] || refuse_run 'RDT without resctrl' '[Rr]dt|resctrl|RDT'

# exec
bundle '.process.env = ["PATH=/bin", "A=1"] | .process.user.umask = 23' -- sleep 1000
run_detached
text=$(umask 077; trap '' HUP; SECRET=host holm exec --env B=2 --cwd /tmp "$id" probe env cwd signals fds status namespaces cgroups process ids)
fact 'exec: environment' "$text" '[.env[] | select(test("^[AB]="))] | sort' '["A=1","B=2"]'
fact 'exec: nothing of the host' "$text" '[.env[] | select(test("SECRET|HOLM"))]' '[]'
fact 'exec: cwd' "$text" .cwd /tmp
fact 'exec: descriptors' "$text" '.fds | keys' '["0","1","2"]'
fact 'exec: signals' "$text" .signals '{"blocked":[],"ignored":[]}'
fact 'exec: umask' "$text" .process.umask 0027
pid=$(pid_of)
for type in pid net ipc uts mnt; do fact "exec: namespace $type" "$text" ".namespaces.$type" "$(readlink "/proc/$pid/ns/$type")"; done
fact 'exec: cgroup' "$text" '.cgroups | sort' "$(sort "/proc/$pid/cgroup" | jq -Rc . | jq -sc .)"
fact 'exec: capabilities' "$text" '[.status.CapBnd, .status.CapEff, .status.CapInh]' \
	"$(jq -Rn '[inputs | select(test("^Cap(Bnd|Eff|Inh)")) | split("\t")] | [.[2][1], .[1][1], .[0][1]]' -c <"/proc/$pid/status")"
fact 'exec: no_new_privs' "$text" .process.no_new_privs 1
fact 'exec: user' "$(holm exec --user 1000:1001 --additional-gids 7 "$id" probe ids)" '[.ids.uid[0], .ids.gid[0], .ids.groups]' '[1000,1001,[7]]'
is 'exec: exit status' "$(holm exec "$id" sh -c 'exit 42'; echo $?)" 42
is 'exec: a signal' "$(holm exec "$id" sh -c 'kill -KILL $$' >/dev/null 2>&1; echo $?)" 137
is 'exec: our own failure is 255' "$(holm exec "$id" /not/there >/dev/null 2>&1; echo $?)" 255
refuses 'exec: a program that is not there' '/not/there.*[Nn]o such file' holm exec "$id" /not/there
is 'exec: standard input' "$(echo through | holm exec "$id" cat)" through
is 'exec: also asked for, as elsewhere' "$(echo through | holm exec -i "$id" cat)" through
cat >"$work/process.json" <<-'X'
	{"args": ["sh", "-c", "echo $X; pwd; id -u"], "env": ["PATH=/bin", "X=file"], "cwd": "/var", "user": {"uid": 33, "gid": 33}}
X
is 'exec: a process file' "$(holm exec --process "$work/process.json" "$id" | xargs)" 'file /var 33'
check 'exec: detached' holm exec --detach --pid-file "$work/exec.pid" "$id" sleep 2000
like 'exec: its pid' "$(tr '\0' ' ' <"/proc/$(cat "$work/exec.pid")/cmdline")" '^sleep 2000'
is 'exec: numbers are parsed whole' "$(holm exec --user 1: "$id" true >/dev/null 2>&1; echo $?)$(holm exec --user 4294967296 "$id" true >/dev/null 2>&1; echo $?)" 255255
