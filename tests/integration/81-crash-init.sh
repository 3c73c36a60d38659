#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# init is killed at each of its system calls, and each of them fails once: holm says so and nothing stays behind.
# timeout: 330
. "$(dirname "$0")/lib.sh"
. tests/crash/lib.sh
[[ $BUILD != *sanitize* ]] || skip_all 'sanitizers do not work under ptrace'

two_bundles
for verb in create run run-detached start exec exec-detached; do
	stepped "init is killed: $verb" 4 kill init $verb
	stepped "a call of init's fails: $verb" 4 fail init $verb
done

# Everything at once: a user namespace, hooks, seccomp, bind mounts.
mkdir "$work/source"
two_bundles '.linux.namespaces += [{"type": "user"}, {"type": "cgroup"}]' \
	'.linux.uidMappings = [{"containerID": 0, "hostID": 0, "size": 65536}] | .linux.gidMappings = .linux.uidMappings' \
	'.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW",
		"syscalls": [{"names": ["kexec_load"], "action": "SCMP_ACT_ERRNO"}]}' \
	".mounts += [{\"destination\": \"/mnt/deep\", \"type\": \"bind\", \"source\": \"$work/source\", \"options\": [\"rbind\", \"ro\"]},
		{\"destination\": \"/sys/fs/cgroup\", \"type\": \"cgroup\", \"source\": \"cgroup\", \"options\": [\"ro\"]}]" \
	'.hooks = {"createRuntime": [{"path": "/bin/true"}], "createContainer": [{"path": "/bin/true"}],
		"startContainer": [{"path": "/bin/true"}], "poststart": [{"path": "/bin/true"}], "poststop": [{"path": "/bin/true"}]}' \
	'.linux.sysctl = {"net.ipv4.ip_forward": "1"} | .root.readonly = true'
for verb in run create start exec; do
	stepped "holm is killed, everything at once: $verb" 6 kill holm $verb
	stepped "a call of holm's fails, everything at once: $verb" 6 fail holm $verb
	stepped "init is killed, everything at once: $verb" 11 kill init $verb
	stepped "a call of init's fails, everything at once: $verb" 11 fail init $verb
done
