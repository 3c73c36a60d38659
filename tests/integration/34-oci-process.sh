#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The process, at its start and by exec: section E of tests/oci-checklist.md.
# where: host
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/oci.sh"
is_holm || skip_all 'about holm alone'

# exec_file JQ-FILTER [ARGUMENT]...: runs the container's own process, changed so, by exec --process
exec_file() {
	local filter=$1
	shift
	jq ".process | .args = \$ARGS.positional | $filter" --args -- "$@" <"$bundle/config.json" >"$work/process.json"
	holm exec --process "$work/process.json" "$id" 2>&1
}
caps_of() { # JSON of status
	jq -c '.status | [.CapBnd, .CapPrm, .CapEff, .CapInh, .CapAmb] | map(ltrimstr("00000000"))' <<<"$1"
}

# Items 76, 77: terminal
console() { # FILTER ARGUMENT...: a container with a terminal, its output in $work/console
	bundle ".process.terminal = true | $1" -- "${@:2}"
	rm -f "$work/socket" "$work/console"*
	python3 tests/integration/console.py "$work/socket" "$work/console" &
	wait_for 5 test -S "$work/socket"
	create --console-socket "$work/socket" && holm start "$id"
	wait $!
}
console . probe terminal ids devices fds
text=$(tr -d '\r' <"$work/console")
fact 'a terminal on 0, 1 and 2' "$text" .terminal.tty '[1,1,1]'
fact 'from the devpts of the container' "$text" .terminal.name /dev/pts/0
fact 'which controls the session' "$text" '.terminal.foreground == .ids.pgid' true
fact '/dev/console is it' "$text" '.devices["/dev/console"].type' c
fact 'nothing else is open' "$text" '.fds | keys' '["0","1","2"]'
is 'one descriptor with a name arrived' "$(cut -d ' ' -f 1 "$work/console.name")" 1
like 'the name is not empty' "$(cut -d ' ' -f 2 "$work/console.name")" '^.{1,4095}$'
wait_status stopped
holm delete "$id"
console '.process.consoleSize = {"height": 33, "width": 77} | .process.user = {"uid": 1000, "gid": 1000}' sh -c 'stty size; stat -c %u /dev/pts/0; cat /proc/self/uid_map >/dev/console'
like 'consoleSize, owner' "$(xargs <"$work/console" | tr -d '\r')" '^33 77 1000'
wait_status stopped
holm delete "$id"
runs 'consoleSize without a terminal is nothing' fine '.process.consoleSize = {"height": 33, "width": 77}' -- echo fine
bundle '.process.terminal = true'
one_line_refusal 'create: a terminal needs a socket' 'console socket' 1 holm create "$id"
bundle
one_line_refusal 'create: a socket needs a terminal' 'console socket' 1 holm create --console-socket "$work/socket" "$id"
bundle '.process.terminal = true'
one_line_refusal 'a socket where nobody listens' "$work/nobody" 1 holm create --console-socket "$work/nobody" "$id"
is 'leaves nothing' "$(left_behind)" ''
bundle '.process.terminal = true | .mounts |= map(select(.destination != "/dev/pts"))'
python3 tests/integration/console.py "$work/socket2" "$work/console" &
listener=$!
wait_for 5 test -S "$work/socket2"
one_line_refusal 'a terminal without a devpts' 'process.terminal: .*devpts' 1 holm create --console-socket "$work/socket2" "$id"
kill $listener
wait $listener 2>/dev/null

# Items 78, 79, 80: cwd
refused 'no cwd' 'config.json: process.cwd: ' 'del(.process.cwd)'
refused 'a relative cwd' 'config.json: process.cwd: ' '.process.cwd = "tmp"'
refused 'an empty cwd' 'config.json: process.cwd: ' '.process.cwd = ""'
refused 'a file as cwd' "process.cwd: .*'/etc/passwd'.*[Nn]ot a directory" '.process.cwd = "/etc/passwd"'
bundle '.process.cwd = "/new/deep"' -- sh -c 'pwd; stat -c "%a %u" /new /new/deep'
own_root
is 'a cwd that is not there is made' "$(holm run "$id" | xargs)" '/new/deep 755 0 755 0'
bundle '.process.cwd = "/link/x"' -- pwd
own_root
ln -s /etc "$root/link"
is 'through a symlink it stays inside' "$(holm run "$id")" /etc/x
bundle '.process.cwd = "/closed" | .process.user = {"uid": 1000, "gid": 1000}' -- pwd
own_root
mkdir -m 700 "$root/closed"
chown 1000:1000 "$root/closed"
is 'a cwd for the user alone' "$(holm run "$id")" /closed
for cwd in /proc/self/fd/3 /proc/self/fd/7 /proc/self/fd/9; do
	bundle ".process.cwd = \"$cwd\""
	text=$(holm run "$id" 2>&1 7</ 9<"$work")
	is "cwd $cwd is not a way out" $? 1
done

# Item 81: env
bundle '.process.env = ["A=1", "PATH=/bin:/x", "EMPTY=", "SP=a b=c", "A=2"]'
fact 'the environment, the last of two' "$(probe_run env)" .env '["PATH=/bin:/x","EMPTY=","SP=a b=c","A=2","HOME=/root"]'
for bad in NOEQUALS '=x' ''; do
	refused "env '$bad'" 'config.json: process.env\[0\]: ' ".process.env = [\"$bad\"]"
done
bundle '.process.env = []' -- /bin/busybox env
is 'nothing of the host' "$(GREETING=leak holm run "$id")" HOME=/root

# Items 82, 83, 84: what is executed
runs 'found in PATH' fine '.process.env = ["PATH=/nowhere:/bin"]' -- echo fine
refused 'not in PATH' "process.args: exec 'nothing-like-it': executable file not found in .PATH" . -- nothing-like-it
refused 'no PATH' "process.args: exec 'true': executable file not found in .PATH" '.process.env = []' -- true
refused 'not there' "process.args: exec '/bin/absent': no such file" . -- /bin/absent
refused 'not executable' "process.args: exec '/etc/passwd': permission denied" . -- /etc/passwd
refused 'a folder' "process.args: exec '/etc' \(it is a folder\): permission denied" . -- /etc
refused 'in PATH but not executable' "process.args: exec 'passwd': permission denied" '.process.env = ["PATH=/etc"]' -- passwd
refused 'an empty name' 'process.args' . -- ''
refused 'no args' 'config.json: process.args: ' 'del(.process.args)'
refused 'empty args' 'config.json: process.args: ' '.process.args = []'
bundle -- /script
own_root
printf '#!/no/such/interpreter\n' >"$root/script" && chmod +x "$root/script"
still_refused 'a script whose interpreter is missing' "exec '/script'.*'/no/such/interpreter'.*no such file"
printf '\x7fELFnot really' >"$root/script"
still_refused 'not a program' "exec '/script': exec format error"
bundle -- /bin/absent
one_line_refusal 'known at create, not only at start' "/bin/absent" 1 holm create "$id"
runs 'a relative program' fine '.process.cwd = "/bin"' -- ./echo fine

# Item 85: HOME
runs 'HOME of the user' /home '.process.user.uid = 1000' -- sh -c 'echo $HOME'
runs 'HOME that is given' /tmp '.process.env += ["HOME=/tmp"]' -- sh -c 'echo $HOME'
runs 'HOME of a user that nobody knows' / '.process.user.uid = 4242' -- sh -c 'echo $HOME'
bundle -- sh -c 'echo $HOME'
own_root
rm "$root/etc/passwd" && ln -s /dev/zero "$root/etc/passwd"
is 'HOME where passwd is no file' "$(timeout 10 "$HOLM" --root "$state" run --bundle "$bundle" "$id")" /

# Items 86, 87, 88: user
bundle '.process.user = {"uid": 1000, "gid": 1001, "additionalGids": [7, 4294967294], "umask": 23}'
text=$(probe_run ids process)
fact 'uid' "$text" .ids.uid '[1000,1000,1000]'
fact 'gid' "$text" .ids.gid '[1001,1001,1001]'
fact 'exactly these groups' "$text" '.ids.groups | sort' '[7,4294967294]'
fact 'umask' "$text" .process.umask 0027
text=$(bundle; setpriv --groups 5,6 true 2>/dev/null && umask 077 && config '.process.args = ["/bin/probe", "ids", "process"]' && umask 0177 && setpriv --groups 5,6 "$HOLM" --root "$state" run --bundle "$bundle" "$id-x")
fact 'no groups of the caller' "$text" .ids.groups '[]'
fact 'the umask is 0022 by default' "$text" .process.umask 0022
bundle_count=$((bundle_count + 1))
refused 'a umask beyond' 'config.json: process.user.umask: ' '.process.user.umask = 512'

# Item 89: ids that are not mapped
mapped='.linux.namespaces += [{"type": "user"}] | .linux.uidMappings = [{"containerID": 0, "hostID": 0, "size": 10}] | .linux.gidMappings = .linux.uidMappings'
refused 'a uid that is not mapped' 'config.json: process.user.uid: ' "$mapped" '.process.user.uid = 10'
refused 'a gid that is not mapped' 'config.json: process.user.gid: ' "$mapped" '.process.user.gid = 10'
refused 'a group that is not mapped' 'config.json: process.user.additionalGids\[0\]: ' "$mapped" '.process.user.additionalGids = [10]'

# Items 90-95: capabilities
all='["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW"]'
bundle ".process.capabilities = {bounding: $all, effective: [\"CAP_CHOWN\"], permitted: [\"CAP_CHOWN\", \"CAP_KILL\"], inheritable: [\"CAP_CHOWN\", \"CAP_KILL\"], ambient: [\"CAP_KILL\"]} | .process.noNewPrivileges = false" '.process.user = {uid: 1000, gid: 1000}'
is 'five sets, exactly, as a user' "$(caps_of "$(probe_run status)")" '["00002021","00000020","00000020","00000021","00000020"]'
bundle ".process.capabilities = {bounding: $all, effective: $all, permitted: $all, inheritable: [\"CAP_CHOWN\"]}"
is 'as root' "$(caps_of "$(probe_run status)")" '["00002021","00002021","00002021","00000001","00000000"]'
bundle '.process.capabilities = {}'
is 'an empty object: none' "$(caps_of "$(probe_run status)")" '["00000000","00000000","00000000","00000000","00000000"]'
bundle 'del(.process.capabilities)' '.process.noNewPrivileges = false'
text=$(probe_run status)
is 'absent: none' "$(caps_of "$text")" '["00000000","00000000","00000000","00000000","00000000"]'
bundle '.process.capabilities.bounding += ["CAP_UNHEARD_OF", "CAP_CHOWN"]' -- echo fine
text=$(holm run "$id" 2>&1)
like 'an unknown one is a warning' "$text" 'process.capabilities.bounding.*CAP_UNHEARD_OF.*fine'
is 'one line each' "$(wc -l <<<"$text")" 2
bundle '.process.capabilities |= map_values(. + ["CAP_SYS_RESOURCE", "CAP_SYS_MODULE"])' -- echo fine
text=$(holm run "$id" 2>&1)
like 'one that cannot be granted here is no failure' "$text" 'fine$'
bundle '.process.capabilities.ambient = ["CAP_KILL"]' -- echo fine
like 'ambient but not inheritable is no failure' "$(holm run "$id" 2>&1)" 'fine$'
refused 'a capability that is a number' 'config.json: process.capabilities.bounding\[0\]: ' '.process.capabilities.bounding = [5]'

# Item 96
sees 'noNewPrivileges' process .process.no_new_privs 1
sees 'without' process .process.no_new_privs 0 '.process.noNewPrivileges = false'

# Items 97-100: rlimits
names=(AS CORE CPU DATA FSIZE LOCKS MEMLOCK MSGQUEUE NICE NOFILE NPROC RSS RTPRIO RTTIME SIGPENDING STACK)
filter='.process.rlimits = ['
for name in "${names[@]}"; do
	hard=$("$probe" limits | jq ".limits.RLIMIT_$name.hard")
	soft=64
	case $name in AS | DATA | STACK | FSIZE) soft=1073741824 ;; esac
	[ "$(jq -n "$hard < $soft")" = false ] || soft=$hard
	[ $name = NICE ] || [ $name = RTPRIO ] && soft=0
	filter+="{\"type\": \"RLIMIT_$name\", \"soft\": $soft, \"hard\": $soft},"
	declare "soft_$name=$soft"
done
bundle "${filter%,}]"
text=$(probe_run limits)
for name in "${names[@]}"; do
	soft=soft_$name
	fact "RLIMIT_$name" "$text" ".limits.RLIMIT_$name | [.soft, .hard]" "[${!soft},${!soft}]"
done
refused 'an unknown limit' "config.json: process.rlimits\[1\].type: .*'RLIMIT_FOO'" '.process.rlimits += [{"type": "RLIMIT_FOO", "soft": 1, "hard": 1}]'
refused 'a limit given twice' 'config.json: process.rlimits\[1\].type: ' '.process.rlimits += [.process.rlimits[0]]'
refused 'soft above hard' 'config.json: process.rlimits\[0\].soft: ' '.process.rlimits = [{"type": "RLIMIT_NOFILE", "soft": 2, "hard": 1}]'
refused 'no soft' 'config.json: process.rlimits\[0\].soft: ' '.process.rlimits = [{"type": "RLIMIT_NOFILE", "hard": 1}]'

# Item 101
for value in 0 500 1000; do
	sees "oomScoreAdj $value" process .process.oom_score_adj $value ".process.oomScoreAdj = $value"
done
own=$(cat /proc/self/oom_score_adj)
bundle
config '.process.args = ["/bin/probe", "process"]'
fact 'without it: as the caller' "$(holm run "$id")" .process.oom_score_adj "$own"
refused 'oomScoreAdj beyond' 'config.json: process.oomScoreAdj: ' '.process.oomScoreAdj = 1001'

# Items 102, 103: scheduler
sees 'SCHED_BATCH, nice 5' process '[.process.policy, .process.nice]' '[3,5]' '.process.scheduler = {"policy": "SCHED_BATCH", "nice": 5}'
sees 'SCHED_OTHER, nice 19' process '[.process.policy, .process.nice]' '[0,19]' '.process.scheduler = {"policy": "SCHED_OTHER", "nice": 19}'
sees 'SCHED_IDLE' process '.process.policy' 5 '.process.scheduler = {"policy": "SCHED_IDLE"}'
bundle '.process.scheduler = {"policy": "SCHED_FIFO", "priority": 10, "flags": ["SCHED_FLAG_RESET_ON_FORK"]}'
if chrt -f 10 true 2>/dev/null; then
	text=$(probe_run process 2>&1)
	fact 'SCHED_FIFO' "$text" '.process.policy % 1073741824' 1
else
	like 'SCHED_FIFO that is not allowed here' "$(holm run "$id" 2>&1)" 'process.scheduler: .*CAP_SYS_NICE'
fi
refused 'an unknown policy' "config.json: process.scheduler.policy: .*SCHED_BOGUS" '.process.scheduler = {"policy": "SCHED_BOGUS"}'
refused 'no policy' "config.json: process.scheduler.policy: " '.process.scheduler = {"nice": 1}'
refused 'an unknown flag' "config.json: process.scheduler.flags\[0\]: .*SCHED_FLAG_BOGUS" '.process.scheduler = {"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_BOGUS"]}'
refused 'nice 20' 'config.json: process.scheduler.nice: ' '.process.scheduler = {"policy": "SCHED_OTHER", "nice": 20}'
refused 'nice -21' 'config.json: process.scheduler.nice: ' '.process.scheduler = {"policy": "SCHED_OTHER", "nice": -21}'
refused 'a priority for SCHED_OTHER' 'config.json: process.scheduler.priority: ' '.process.scheduler = {"policy": "SCHED_OTHER", "priority": 1}'
refused 'no priority for SCHED_RR' 'config.json: process.scheduler.priority: ' '.process.scheduler = {"policy": "SCHED_RR"}'
refused 'a deadline for SCHED_RR' 'config.json: process.scheduler: ' '.process.scheduler = {"policy": "SCHED_RR", "priority": 1, "deadline": 1}'
refused 'SCHED_DEADLINE without a runtime' 'config.json: process.scheduler.runtime: is missing' '.process.scheduler = {"policy": "SCHED_DEADLINE"}'
refused 'SCHED_DEADLINE within a container says what is in the way' 'process.scheduler: .*(CAP_SYS_NICE|cpuset|invalid)' '.process.scheduler = {"policy": "SCHED_DEADLINE", "runtime": 1, "deadline": 2, "period": 3}'

# Item 104: ioPriority
for class in RT:1:0 BE:2:7 IDLE:3:0; do
	IFS=: read -r name number level <<<"$class"
	bundle ".process.ioPriority = {\"class\": \"IOPRIO_CLASS_$name\", \"priority\": $level}"
	if ionice -c $number true 2>/dev/null; then
		fact "ioPriority $name" "$(probe_run process)" .process.ioprio "{\"class\":$number,\"level\":$level}"
	else
		still_refused "ioPriority $name that is not allowed here" 'process.ioPriority'
	fi
done
refused 'an unknown class' 'config.json: process.ioPriority.class: .*IOPRIO_CLASS_BOGUS' '.process.ioPriority = {"class": "IOPRIO_CLASS_BOGUS"}'
refused 'priority 8' 'config.json: process.ioPriority.priority: ' '.process.ioPriority = {"class": "IOPRIO_CLASS_BE", "priority": 8}'

# Items 106, 107 (what a host without them says; with AppArmor: in the virtual machine)
if [ ! -e /sys/kernel/security/apparmor ] && [ ! -e /sys/module/apparmor ]; then
	refused 'apparmorProfile without AppArmor' 'process.apparmorProfile: .*AppArmor is off' '.process.apparmorProfile = "some"'
fi
if [ ! -e /sys/fs/selinux/enforce ]; then
	refused 'selinuxLabel without SELinux' 'process.selinuxLabel: .*SELinux is off' '.process.selinuxLabel = "system_u:system_r:svirt_lxc_net_t:s0:c1,c2"'
fi
runs 'empty labels are none' fine '.process.selinuxLabel = "" | .process.apparmorProfile = ""' -- echo fine

# Item 108: descriptors
bundle
config '.process.args = ["/bin/probe", "fds", "env"]'
fact 'only 0, 1 and 2' "$(holm run "$id" 3</ 5</dev/null 9</etc/passwd 200</)" '.fds | keys' '["0","1","2"]'
fact '--preserve-fds' "$(holm run --preserve-fds 2 "$id" 3</etc/passwd 4</etc/group 5</)" '.fds | keys' '["0","1","2","3","4"]'
one_line_refusal '--preserve-fds of what is not open' 'preserved-fd 4' 1 eval 'holm run --preserve-fds 2 "$id" 3</etc/passwd 4<&-'
text=$(bash -c 'exec 3</etc/passwd 4</etc/group; export LISTEN_FDS=2 LISTEN_PID=$$; exec "$@"' sh "$HOLM" --root "$state" run --bundle "$bundle" "$id")
fact 'LISTEN_FDS: the descriptors' "$text" '.fds | keys' '["0","1","2","3","4"]'
fact 'LISTEN_FDS: the variables' "$text" '[.env[] | select(startswith("LISTEN"))] | sort' '["LISTEN_FDS=2","LISTEN_PID=1"]'
text=$(LISTEN_FDS=1 LISTEN_PID=1 holm run "$id" 3</etc/passwd)
fact 'LISTEN_FDS meant for another' "$text" '[(.fds | keys), [.env[] | select(startswith("LISTEN"))]]' '[["0","1","2"],[]]'

# Item 109
bundle
config '.process.args = ["/bin/probe", "keyring"]'
fact 'a keyring named after the container' "$(holm run "$id")" ".keyring | contains(\"_ses.$id\")"
fact '--no-new-keyring' "$(holm run --no-new-keyring "$id")" ".keyring // \"\" | contains(\"_ses.$id\") | not"
bundle -- sleep 1000
holm run --detach --no-new-keyring "$id" </dev/null >/dev/null 2>&1
fact '--no-new-keyring is for exec too' "$(holm exec "$id" probe keyring_id)" .keyring_id "$("$probe" keyring_id | jq .keyring_id)"

# --- exec: the same by --process and by options ---
bundle '.process.user.umask = 7 | .process.env += ["OWN=1"] | .process.capabilities.inheritable = ["CAP_KILL"] | .process.oomScoreAdj = 77' -- sleep 1000
run_detached
text=$(holm exec "$id" probe env ids status limits process keyring fds namespaces cgroups)
fact 'exec: the environment of the container' "$text" '.env | contains(["OWN=1", "HOME=/root"])'
fact 'exec: umask' "$text" .process.umask 0007
fact 'exec: score' "$text" .process.oom_score_adj 77
fact "exec: a keyring of its own, not the caller's" "$(holm exec "$id" probe keyring_id)" ".keyring_id > 0 and .keyring_id != $("$probe" keyring_id | jq .keyring_id)"
fact 'exec: no_new_privs' "$text" .process.no_new_privs 1
fact 'exec: limits' "$text" '.limits.RLIMIT_NOFILE.soft' 1024
fact 'exec: descriptors' "$text" '.fds | keys' '["0","1","2"]'
fact 'exec: bounding set' "$text" .status.CapBnd 0000000020000420
for type in pid net ipc uts mnt; do
	fact "exec: $type" "$text" ".namespaces.$type" "$(readlink "/proc/$(pid_of)/ns/$type")"
done
like 'exec: cgroup' "$(jq -r '.cgroups[]' <<<"$text")" "$id"
is 'exec: its exit status' "$(holm exec "$id" sh -c 'exit 42'; echo $?)" 42
is 'exec: a signal' "$(holm exec "$id" sh -c 'kill -KILL $$'; echo $?)" 137
is 'exec: --cwd --env --user --additional-gids' "$(holm exec --cwd /tmp -e A=b -u 1000:1001 -g 7 "$id" sh -c 'pwd; echo $A; id -u; id -g; id -G')" "$(printf '/tmp\nb\n1000\n1001\n1001 7')"
fact 'exec: --cap' "$(holm exec --cap CAP_CHOWN "$id" probe status)" '[.status.CapEff, .status.CapAmb]' '["0000000020000421","0000000000000000"]'
one_line_refusal 'exec: not in PATH' "exec 'absent': executable file not found in .PATH" 255 holm exec "$id" absent
one_line_refusal 'exec: not there' "exec '/absent': no such file" 255 holm exec "$id" /absent
one_line_refusal 'exec: not executable' "exec '/etc/passwd': permission denied" 255 holm exec "$id" /etc/passwd
one_line_refusal 'exec: a cwd that is not there' "process.cwd: .*'/absent'.*no such file" 255 holm exec --cwd /absent "$id" true
one_line_refusal 'exec: a bad user' "'1:'" 255 holm exec --user 1: "$id" true
one_line_refusal 'exec: a bad process file' "$work/nothing.json.*no such file" 255 holm exec --process "$work/nothing.json" "$id"
is 'exec: user of a process file' "$(exec_file '.user = {uid: 5, gid: 6, umask: 63}' sh -c 'id -u; id -g; umask' | xargs)" '5 6 0077'
like 'exec: a bad process file names the place' "$(exec_file '.cwd = "x"' true)" 'process.json: cwd: '
is 'exec: 255 then' "$(holm exec --process "$work/process.json" "$id" >/dev/null 2>&1; echo $?)" 255
one_line_refusal 'exec: --preserve-fds of what is not open' 'preserved-fd 4' 255 eval 'holm exec --preserve-fds 2 "$id" true 3</etc/passwd 4<&-'
is 'exec: a process file from a pipe' "$(jq -c '.process.args = ["echo", "piped"] | .process' <"$bundle/config.json" | holm exec --process /dev/stdin "$id" </dev/stdin 2>&1)" piped
fact 'exec: scheduler' "$(exec_file '.scheduler = {policy: "SCHED_BATCH", nice: 3}' probe process)" '[.process.policy, .process.nice]' '[3,3]'
fact 'exec: ioPriority' "$(exec_file '.ioPriority = {class: "IOPRIO_CLASS_BE", priority: 6}' probe process)" .process.ioprio '{"class":2,"level":6}'
# Item 105: execCPUAffinity
own=$id
cpus=$(taskset -cp $$ | sed 's/.*: //')
last=${cpus##*[,-]}
is 'affinity: initial and final' "$(exec_file ".execCPUAffinity = {initial: \"$last\", final: \"$last\"}" grep Cpus_allowed_list /proc/self/status | cut -f 2)" "$last"
[ "$cpus" = 0 ] || is 'affinity: part of a range' "$(exec_file '.execCPUAffinity = {final: "0-1:1/2"}' grep Cpus_allowed_list /proc/self/status | cut -f 2)" 0
is 'affinity: unset is all, whatever the caller has' "$(taskset -c "$last" "$HOLM" --root "$state" exec "$id" grep Cpus_allowed_list /proc/self/status | cut -f 2)" \
	"$(sed -n 's/^Cpus_allowed_list:\t//p' "/proc/$(pid_of)/status")"
for bad in x 1- -1 '1,' '0-1-2' '1 2'; do
	id=$own
	like "exec: affinity '$bad'" "$(exec_file ".execCPUAffinity = {initial: \"$bad\"}" true)" 'process.json: execCPUAffinity.initial: '
	refused "affinity '$bad' in config.json" 'config.json: process.execCPUAffinity.final: ' ".process.execCPUAffinity = {final: \"$bad\"}"
done
