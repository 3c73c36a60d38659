#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Sysctls, masks, propagation, personality, memory policy, RDT, seccomp: section I of tests/oci-checklist.md.
# where: host
# timeout: 240
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/oci.sh"
is_holm || skip_all 'about holm alone'

# Item 174: sysctl
runs 'sysctls of its own namespaces' '1 4096 7 reef 123' '.linux.sysctl = {"net.ipv4.ip_forward": "1", "kernel.msgmax": "4096", "fs.mqueue.queues_max": "7", "kernel.domainname": "reef", "net.ipv4.conf.lo.tag": "123"}' -- \
	cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax /proc/sys/fs/mqueue/queues_max /proc/sys/kernel/domainname /proc/sys/net/ipv4/conf/lo/tag
runs 'with slashes' '1 32000 1024000000 500 128' '.linux.sysctl = {"net/ipv4/ip_forward": "1", "kernel/sem": "32000 1024000000 500 128"}' -- sh -c 'cat /proc/sys/net/ipv4/ip_forward; cat /proc/sys/kernel/sem'
unshare --net sh -c 'ip link add d.1 type bridge && sleep 60' &
netns=/proc/$!/ns/net
dotted=/proc/sys/net/ipv4/conf/d.1/tag
check 'a network with an interface that has a dot in its name' wait_for 10 nsenter --net=$netns test -e $dotted
for key in net/ipv4/conf/d.1/tag net.ipv4.conf.d/1.tag; do
	runs "$key" "${#key}" '(.linux.namespaces[] | select(.type == "network")).path = "'$netns'"' ".linux.sysctl = {\"$key\": \"${#key}\"}" -- cat $dotted
done
kill $!
runs 'user.* with a user namespace' 11 '.linux.namespaces += [{"type": "user"}] | .linux.uidMappings = [{"containerID": 0, "hostID": 0, "size": 65536}] | .linux.gidMappings = .linux.uidMappings | .linux.sysctl = {"user.max_ipc_namespaces": "11"}' -- \
	cat /proc/sys/user/max_ipc_namespaces
for key in kernel.pid_max vm.swappiness kernel.hostname fs.file-max kernel.core_pattern user.max_ipc_namespaces net.ipv4../../../kernel/core_pattern net.//.kernel.core_pattern 'net.ipv4.+x' 'net' 'net.' '.net.x' '' 'kernel.shmmaxx' \
	'net/../kernel/core_pattern' 'net.ipv4..ip_forward' '/net/ipv4/ip_forward' $'net.x\\n'; do
	refused "sysctl '$key'" "config.json: linux.sysctl" ".linux.sysctl = {\"$key\": \"1\"}"
done
refused 'a sysctl that does not exist' "linux.sysctl.*'/proc/sys/net/no/such'.*No such file|linux.sysctl.*net.no.such" '.linux.sysctl = {"net.no.such": "1"}'
refused 'a value that the kernel refuses' "linux.sysctl.*net.ipv4.ip_forward.*[Ii]nvalid argument" '.linux.sysctl = {"net.ipv4.ip_forward": "x"}'
refused 'a value that is no string' "config.json: linux.sysctl" '.linux.sysctl = {"net.ipv4.ip_forward": 1}'
for one in network:net.ipv4.ip_forward ipc:kernel.msgmax; do
	refused "without a ${one%%:*} namespace" "config.json: linux.sysctl.*${one%%:*}" ".linux.namespaces |= map(select(.type != \"${one%%:*}\"))" ".linux.sysctl = {\"${one#*:}\": \"1\"}"
done

# Item 175: rootfsPropagation
for mode in shared slave private unbindable rshared rslave rprivate runbindable; do
	bundle ".linux.rootfsPropagation = \"$mode\""
	text=$(probe_run mounts 2>&1)
	case ${mode#r} in
	shared) expected=shared ;;
	unbindable) expected=unbindable ;;
	*) expected= ;;
	esac
	fact "propagation $mode" "$text" '[.mounts[] | select(.target == "/")][-1].propagation | split(":")[0] // ""' "$expected"
done
refused 'an unknown propagation' 'config.json: linux.rootfsPropagation: ' '.linux.rootfsPropagation = "bogus"'
before=$(wc -l </proc/self/mountinfo)
bundle '.linux.rootfsPropagation = "rshared"' -- sh -c 'mount -t tmpfs tmpfs /tmp 2>/dev/null; true'
holm run "$id" >/dev/null 2>&1
is 'nothing is mounted on the host by it' "$(wc -l </proc/self/mountinfo)" "$before"

# The same on a host whose mounts are all shared (as systemd makes them): nothing of it is unmounted, nothing mounted
cat >"$work/shared-host" <<'X'
#!/bin/sh
# SOURCE COMMAND...: prints how many mounts came and went; then what lies below SOURCE when its container mounted there
source=$1
shift
mount -t tmpfs tmpfs "$source" && mkdir "$source/from-host" "$source/from-inside"
cut -d ' ' -f 5 /proc/self/mountinfo | sort >"$source.before"
"$@" >"$source.said" 2>&1 </dev/null
cut -d ' ' -f 5 /proc/self/mountinfo | sort >"$source.after"
diff "$source.before" "$source.after" | grep '^[<>]' | sed "s|$source|SOURCE|"
X
chmod +x "$work/shared-host"
mkdir "$work/shared"
mounter='.process.capabilities |= map_values(. + ["CAP_SYS_ADMIN"])'
for mode in '' shared slave private unbindable rshared rslave rprivate runbindable; do
	for option in '' --no-pivot; do
		bundle "$mounter" "$([ -z "$mode" ] && echo . || echo ".linux.rootfsPropagation = \"$mode\"")" ".mounts += [{\"destination\": \"/shared\", \"source\": \"$work/shared\", \"options\": [\"rbind\"]}]" -- \
			mount -t tmpfs tmpfs /shared/from-inside
		text=$(unshare -m --propagation shared "$work/shared-host" "$work/shared" "$HOLM" --root "$state" run $option --bundle "$bundle" "$id")
		expected=
		[ "${mode#r}" != shared ] || expected='> SOURCE/from-inside'
		is "propagation '$mode' $option on a shared host" "$text" "$expected"
	done
done

# Items 176, 177: masked and read-only paths
bundle '.linux.maskedPaths = ["/proc/interrupts", "/etc", "/etc-file", "/absent", "/absent/deeper", "/link", "/proc/acpi"] | .linux.readonlyPaths = ["/proc/sys", "/usr", "/absent", "/ro-file", "/proc/sysrq-trigger"]' -- sh -c '
	stat -c "%F %t %T" /proc/interrupts /etc-file; ls -A /etc | wc -l; for f in /etc/x /usr/x /ro-file /proc/sys/kernel/msgmax; do { echo 1 >$f; } 2>/dev/null && echo "$f written"; done; cat /secret /link 2>/dev/null; ls / | grep -c absent'
own_root
echo secret >"$root/secret"
ln -s secret "$root/link"
touch "$root/etc-file" "$root/ro-file"
is 'masked: null and an empty folder; read-only; what is missing is skipped' "$(holm run "$id" 2>&1 | xargs)" \
	'character special file 1 3 character special file 1 3 0 0'
bundle '.linux.maskedPaths = ["/etc"]'
text=$(probe_run mounts)
fact 'a masked folder is read-only, nosuid, nodev, noexec' "$text" '[.mounts[] | select(.target == "/etc")][-1].options | test("^ro,nosuid,nodev,noexec")'
bundle '.linux.maskedPaths = [range(60) | "/m/\(.)"]'
own_root
for i in {0..59}; do mkdir -p "$root/m/$i"; done
fact 'sixty folders share one file system' "$(probe_run mounts)" '[.mounts[] | select(.target | startswith("/m/")) | .device] | [length, (unique | length)]' '[60,1]'
bundle ".mounts += [{\"destination\": \"/tree\", \"type\": \"tmpfs\"}, {\"destination\": \"/tree/sub\", \"type\": \"tmpfs\"}] | .linux.readonlyPaths = [\"/tree\"]"
fact 'read-only reaches what is mounted below' "$(probe_run mounts)" '[.mounts[] | select(.target | startswith("/tree")) | .options | startswith("ro")] | [length >= 3, .[-1], .[-2]]' '[true,true,true]'
refused 'a relative masked path' 'config.json: linux.maskedPaths\[0\]: ' '.linux.maskedPaths = ["proc"]'
refused 'a relative read-only path' 'config.json: linux.readonlyPaths\[0\]: ' '.linux.readonlyPaths = ["proc"]'
runs 'what is not there is not made to be masked' absent '.linux.maskedPaths = ["/dev/null2"]' -- sh -c '[ -e /dev/null2 ] || echo absent'

# Item 178: mountLabel
if [ ! -e /sys/fs/selinux/enforce ]; then
	refused 'mountLabel without SELinux' 'mounts\[[0-9]\].*context' '.linux.mountLabel = "system_u:object_r:svirt_sandbox_file_t:s0"'
fi
# Items 179, 180: personality
sees 'LINUX32' process .process.personality 8 '.linux.personality = {"domain": "LINUX32"}'
sees 'LINUX' process .process.personality 0 '.linux.personality = {"domain": "LINUX"}'
bundle '.linux.personality = {"domain": "LINUX32"}' -- sleep 1000
run_detached
fact 'exec has it too' "$(holm exec "$id" probe process)" .process.personality 8
refused 'an unknown domain' 'config.json: linux.personality.domain: ' '.linux.personality = {"domain": "BSD"}'
refused 'no domain' 'config.json: linux.personality.domain: ' '.linux.personality = {}'
runs 'flags have no effect' fine '.linux.personality = {"domain": "LINUX", "flags": ["x"]}' -- echo fine

# Item 181: memory policy
for mode in PREFERRED:1:0 BIND:2:0 INTERLEAVE:3:0 LOCAL:4: DEFAULT:0:; do
	IFS=: read -r name number nodes <<<"$mode"
	filter=".linux.memoryPolicy = {\"mode\": \"MPOL_$name\"$([ -z "$nodes" ] || echo ", \"nodes\": \"$nodes\"")}"
	bundle "$filter"
	fact "MPOL_$name" "$(probe_run process 2>&1)" '.process.mempolicy' "$number"
done
sees 'a flag' process '.process.mempolicy % 8' 2 '.linux.memoryPolicy = {"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]}'
refused 'an unknown mode' 'config.json: linux.memoryPolicy.mode: ' '.linux.memoryPolicy = {"mode": "MPOL_WISH"}'
refused 'an unknown flag' 'config.json: linux.memoryPolicy.flags\[0\]: ' '.linux.memoryPolicy = {"mode": "MPOL_BIND", "nodes": "0", "flags": ["x"]}'
refused 'nodes with MPOL_LOCAL' 'config.json: linux.memoryPolicy.nodes: ' '.linux.memoryPolicy = {"mode": "MPOL_LOCAL", "nodes": "0"}'
refused 'no nodes with MPOL_BIND' 'config.json: linux.memoryPolicy.nodes: ' '.linux.memoryPolicy = {"mode": "MPOL_BIND"}'
refused 'bad nodes' 'config.json: linux.memoryPolicy.nodes: ' '.linux.memoryPolicy = {"mode": "MPOL_BIND", "nodes": "a"}'
refused 'a node that is not there' 'linux.memoryPolicy: ' '.linux.memoryPolicy = {"mode": "MPOL_BIND", "nodes": "999"}'

# Items 182-186: RDT (with resctrl: tests/unit/rdt.c)
if ! grep -q ' resctrl ' /proc/self/mounts; then
	refused 'intelRdt without resctrl' 'linux.intelRdt: .*resctrl' '.linux.intelRdt = {"closID": "x", "memBwSchema": "MB:0=50"}'
fi
refused 'a bad closID' 'config.json: linux.intelRdt.closID: ' '.linux.intelRdt = {"closID": "a/b"}'
refused 'a schema with a newline' 'config.json: linux.intelRdt.schemata\[0\]: ' '.linux.intelRdt = {"schemata": ["L3:0=f\nMB:0=5"]}'
refused 'a wrong prefix' 'config.json: linux.intelRdt.memBwSchema: ' '.linux.intelRdt = {"memBwSchema": "L3:0=f"}'
# Item 202
runs 'other platforms' fine '.windows = {"x": 1} | .vm = {"x": 1} | .solaris = {} | .zos = {} | .freebsd = {"x": []}' -- echo fine

# --- seccomp ---
[ "$(uname -m)" = x86_64 ] || exit 0 # the numbers are those of x86-64
allow='.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW"}'
getppid=110 sysfs=139
rule() { # ACTION [MORE]: on getppid
	echo "$allow | .linux.seccomp.syscalls = [{\"names\": [\"getppid\"], \"action\": \"$1\"${2:+, $2}}]"
}
# Item 187
for action in ALLOW:0 LOG:0 ERRNO:EPERM TRACE:ENOSYS; do
	runs "action ${action%:*}" "${action#*:}" "$(rule SCMP_ACT_${action%:*})" -- probe call $getppid
done
for action in KILL KILL_PROCESS KILL_THREAD TRAP; do
	bundle "$(rule SCMP_ACT_$action)" -- probe call $getppid
	holm run "$id" >/dev/null 2>&1
	is "action $action" $? 159
done
refused 'an unknown action' "config.json: linux.seccomp.syscalls\[0\].action: .*'SCMP_ACT_WISH'" "$(rule SCMP_ACT_WISH)"
refused 'an unknown default action' "config.json: linux.seccomp.defaultAction: .*'SCMP_ACT_WISH'" '.linux.seccomp = {"defaultAction": "SCMP_ACT_WISH"}'
refused 'no default action' "config.json: linux.seccomp.defaultAction: " '.linux.seccomp = {}'
# Item 188, 200: errno, and the cache that must know it
for number in 95:EOPNOTSUPP 1:EPERM 38:ENOSYS 95:EOPNOTSUPP; do
	runs "errnoRet ${number%:*}" "${number#*:}" "$(rule SCMP_ACT_ERRNO "\"errnoRet\": ${number%:*}")" -- probe call $getppid
done
deny='{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["execve", "exit_group", "exit", "write", "brk", "arch_prctl", "mmap", "munmap", "mprotect", "rseq", "set_robust_list", "set_tid_address", "newfstatat", "fstat", "prlimit64", "readlink", "readlinkat", "getrandom", "umask", "read", "ioctl", "close", "fcntl", "writev", "rt_sigaction", "rt_sigprocmask", "getuid", "poll", "time", "prctl"], "action": "SCMP_ACT_ALLOW"}]}'
for number in 7:E2BIG 13:EACCES; do
	runs "defaultErrnoRet ${number%:*}" "${number#*:}" ".linux.seccomp = $deny | .linux.seccomp.defaultErrnoRet = ${number%:*}" -- probe call $getppid
done
runs 'no defaultErrnoRet: EPERM' EPERM ".linux.seccomp = $deny" -- probe call $getppid
# Item 190
runs 'newer than the profile: ENOSYS' ENOSYS ".linux.seccomp = $deny" -- probe call 5000
for action in ALLOW KILL LOG TRAP; do
	refused "errnoRet on $action" 'config.json: linux.seccomp.syscalls\[0\].errnoRet: ' "$(rule SCMP_ACT_$action '"errnoRet": 1')"
	refused "defaultErrnoRet on $action" 'config.json: linux.seccomp.defaultErrnoRet: ' ".linux.seccomp = {\"defaultAction\": \"SCMP_ACT_$action\", \"defaultErrnoRet\": 1}"
done
# Item 189
runs 'names that nobody knows are left out' EPERM "$allow | .linux.seccomp.syscalls = [{\"names\": [\"no_such_call\", \"getppid\", \"nor_this\"], \"action\": \"SCMP_ACT_ERRNO\"}]" -- probe call $getppid
refused 'an empty list of names' 'config.json: linux.seccomp.syscalls\[0\].names: ' "$allow | .linux.seccomp.syscalls = [{\"names\": [], \"action\": \"SCMP_ACT_ERRNO\"}]"
refused 'no names' 'config.json: linux.seccomp.syscalls\[0\].names: ' "$allow | .linux.seccomp.syscalls = [{\"action\": \"SCMP_ACT_ERRNO\"}]"
# Item 191: yes and no for each operator on the first argument of sysfs(2)
for op in NE:5:6:5 LT:5:4:5 LE:5:5:6 EQ:5:5:6 GE:5:5:4 GT:5:6:5; do
	IFS=: read -r name value yes no <<<"$op"
	bundle "$allow | .linux.seccomp.syscalls = [{\"names\": [\"sysfs\"], \"action\": \"SCMP_ACT_ERRNO\", \"errnoRet\": 95, \"args\": [{\"index\": 0, \"value\": $value, \"op\": \"SCMP_CMP_$name\"}]}]" -- \
		sh -c "probe call $sysfs $yes; probe call $sysfs $no"
	like "operator $name" "$(holm run "$id" 2>&1 | xargs)" '^EOPNOTSUPP E?[A-Z0-9]+$'
	unlike "operator $name, no more" "$(holm run "$id" 2>&1 | tail -n 1)" EOPNOTSUPP
done
runs 'operator MASKED_EQ' 'EOPNOTSUPP EINVAL' "$allow | .linux.seccomp.syscalls = [{\"names\": [\"sysfs\"], \"action\": \"SCMP_ACT_ERRNO\", \"errnoRet\": 95, \"args\": [{\"index\": 0, \"value\": 12, \"valueTwo\": 4, \"op\": \"SCMP_CMP_MASKED_EQ\"}]}]" -- \
	sh -c "probe call $sysfs 6; probe call $sysfs 9"
runs 'two arguments: both must match' 'EOPNOTSUPP EINVAL' "$allow | .linux.seccomp.syscalls = [{\"names\": [\"sysfs\"], \"action\": \"SCMP_ACT_ERRNO\", \"errnoRet\": 95, \"args\": [{\"index\": 0, \"value\": 9, \"op\": \"SCMP_CMP_EQ\"}, {\"index\": 1, \"value\": 1, \"op\": \"SCMP_CMP_EQ\"}]}]" -- \
	sh -c "probe call $sysfs 9 1; probe call $sysfs 9 2"
runs 'one argument twice: either matches' 'EOPNOTSUPP EOPNOTSUPP' "$allow | .linux.seccomp.syscalls = [{\"names\": [\"sysfs\"], \"action\": \"SCMP_ACT_ERRNO\", \"errnoRet\": 95, \"args\": [{\"index\": 0, \"value\": 8, \"op\": \"SCMP_CMP_EQ\"}, {\"index\": 0, \"value\": 9, \"op\": \"SCMP_CMP_EQ\"}]}]" -- \
	sh -c "probe call $sysfs 8; probe call $sysfs 9"
for bad in '"index": 6, "value": 1, "op": "SCMP_CMP_EQ"' '"index": 0, "op": "SCMP_CMP_EQ"' '"index": 0, "value": 1' '"index": 0, "value": 1, "op": "SCMP_CMP_WISH"' '"index": 0, "value": -1, "op": "SCMP_CMP_EQ"'; do
	refused "an argument {$bad}" 'config.json: linux.seccomp.syscalls\[0\].args\[0\]' "$(rule SCMP_ACT_ERRNO "\"args\": [{$bad}]")"
done
# Item 192
for arch in X86 X86_64 X32 ARM AARCH64 MIPS MIPS64 MIPS64N32 MIPSEL MIPSEL64 MIPSEL64N32 PPC PPC64 PPC64LE S390 S390X PARISC PARISC64 RISCV64 LOONGARCH64 M68K SH SHEB; do
	architectures+="\"SCMP_ARCH_$arch\","
done
bundle "$allow | .linux.seccomp.architectures = [${architectures%,}]" -- echo fine
like 'every architecture is known' "$(holm run "$id" 2>&1)" 'fine$'
refused 'an unknown one' "config.json: linux.seccomp.architectures\[0\]: .*'SCMP_ARCH_WISH'" "$allow | .linux.seccomp.architectures = [\"SCMP_ARCH_WISH\"]"
# Item 193
for flag in TSYNC LOG SPEC_ALLOW; do
	runs "flag $flag" 2 "$allow | .linux.seccomp.flags = [\"SECCOMP_FILTER_FLAG_$flag\"]" -- sed -n 's/^Seccomp:\t//p' /proc/self/status
done
runs 'no flags at all' 2 "$allow | .linux.seccomp.flags = []" -- sed -n 's/^Seccomp:\t//p' /proc/self/status
refused 'an unknown flag' "config.json: linux.seccomp.flags\[0\]: .*'SECCOMP_FILTER_FLAG_WISH'" "$allow | .linux.seccomp.flags = [\"SECCOMP_FILTER_FLAG_WISH\"]"
# Items 194-198: notify
cat >"$work/listener.py" <<'X'
import array, fcntl, json, os, socket, struct, sys
listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.bind(sys.argv[1] + ".new")
listener.listen(4)
os.rename(sys.argv[1] + ".new", sys.argv[1])
out = open(sys.argv[2], "w", buffering=1)
for _ in range(int(sys.argv[3])):
    connection = listener.accept()[0]
    data, fds, _, _ = socket.recv_fds(connection, 65536, 4)
    while True:
        more = connection.recv(65536)
        if not more:
            break
        data += more
    out.write(json.dumps({"document": json.loads(data), "fds": len(fds)}) + "\n")
    connection.close()
    if os.fork():
        os.close(fds[0])
        continue
    while True:
        request = array.array("b", b"\0" * 80)
        try:
            fcntl.ioctl(fds[0], 0xC0502100, request)  # SECCOMP_IOCTL_NOTIF_RECV
        except OSError:  # nobody is filtered any more
            break
        (number,) = struct.unpack_from("Q", request)
        fcntl.ioctl(fds[0], 0xC0182101, struct.pack("QqiI", number, 4242, 0, 0))  # SECCOMP_IOCTL_NOTIF_SEND
    break
X
notify="$(rule SCMP_ACT_NOTIFY) | .linux.seccomp += {\"listenerPath\": \"$work/notify\", \"listenerMetadata\": \"opaque\"}"
python3 "$work/listener.py" "$work/notify" "$work/notified" 2 &
listener=$!
wait_for 10 test -S "$work/notify"
bundle "$notify" '.annotations = {"a": "b"}' -- sh -c "probe call $getppid; exec sleep 1000"
run_detached
check 'the agent answers the call' wait_for 5 grep -q 4242 "$work/$id.out"
text=$(head -n 1 "$work/notified")
fact 'one descriptor, its name, metadata' "$text" '[.fds, .document.fds, .document.metadata, (.document.ociVersion | startswith("1."))]' '[1,["seccompFd"],"opaque",true]'
fact 'pid and state' "$text" '[.document.pid == .document.state.pid, .document.state.id, .document.state.bundle, .document.state.annotations]' "[true,\"$id\",\"$bundle\",{\"a\":\"b\"}]"
fact 'the pid of init' "$text" .document.state.pid "$(pid_of)"
is 'exec has an agent too' "$(timeout 10 "$HOLM" --root "$state" exec "$id" probe call $getppid)" 4242
text=$(sed -n 2p "$work/notified")
fact 'exec: its own pid, and the state of init' "$text" "[.document.pid != .document.state.pid, .document.state.pid]" "[true,$(pid_of)]"
kill $listener 2>/dev/null
holm delete --force "$id"
refused 'an agent that is not there' "listenerPath.*$work/nobody|$work/nobody" "$(rule SCMP_ACT_NOTIFY) | .linux.seccomp.listenerPath = \"$work/nobody\""
runs 'a path that nothing needs is not used' fine "$allow | .linux.seccomp.listenerPath = \"$work/nobody\"" -- echo fine
refused 'NOTIFY without a path' 'config.json: linux.seccomp.listenerPath: ' "$(rule SCMP_ACT_NOTIFY)"
for name in write sendmsg recvmsg; do
	refused "NOTIFY of $name" 'config.json: linux.seccomp.syscalls\[0\].names\[0\]: ' "$notify | .linux.seccomp.syscalls[0].names = [\"$name\"]"
done
refused 'NOTIFY by default' 'config.json: linux.seccomp.defaultAction: ' "$notify | .linux.seccomp.defaultAction = \"SCMP_ACT_NOTIFY\""
refused 'metadata without a path' 'config.json: linux.seccomp.listenerMetadata: ' "$allow | .linux.seccomp.listenerMetadata = \"x\""
# Item 199: the filter comes last: what holm itself does needs none of its calls; with and without no_new_privs
tight='{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["execve", "exit_group", "exit", "write", "brk", "arch_prctl", "mmap", "munmap", "mprotect", "rseq", "set_robust_list", "set_tid_address", "fstat", "prlimit64", "readlink", "getrandom", "ioctl", "getuid", "getpid"], "action": "SCMP_ACT_ALLOW"}]}'
runs 'a tight filter with no_new_privs' fine ".linux.seccomp = $tight" -- echo fine
runs 'a tight filter without' fine ".linux.seccomp = $tight | .process.noNewPrivileges = false | .linux.seccomp.syscalls[0].names += [\"capset\"]" -- echo fine
runs 'as another user, without capabilities' fine ".linux.seccomp = $tight | .process.noNewPrivileges = false | .process.user.uid = 1000 | .process.capabilities = {} | .linux.seccomp.syscalls[0].names += [\"capset\"]" -- echo fine
runs 'under a small limit of memory' fine ".linux.seccomp = $(jq -c .linux.seccomp tests/specs/docker-01.json) | .process.rlimits = [{\"type\": \"RLIMIT_AS\", \"soft\": 8388608, \"hard\": 8388608}]" -- echo fine
