#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The features document, and that it says the truth: section J of tests/oci-checklist.md.
# where: host bare systemd user
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/oci.sh"
is_holm || skip_all 'about holm alone'

text=$("$HOLM" features 2>"$work/err")
# Item 203
is 'nothing on standard error' "$(cat "$work/err")" ''
fact 'versions' "$text" '[.ociVersionMin, .ociVersionMax]' '["1.0.0","1.3.0"]'
fact 'hooks' "$text" '.hooks | sort' '["createContainer","createRuntime","poststart","poststop","prestart","startContainer"]'
fact 'annotations are strings' "$text" '.annotations | map(type) | unique - ["string"]' '[]'
fact 'no annotation is dangerous' "$text" .potentiallyUnsafeConfigAnnotations '[]'
is 'the same every time' "$("$HOLM" features | md5sum)" "$(md5sum <<<"$text")"
# Every option of the OCI is listed
fact 'mount options: what the OCI wants' "$text" '(["async","atime","bind","defaults","dev","diratime","dirsync","exec","iversion","lazytime","loud","noatime","nodev","nodiratime","noexec","noiversion",
	"nolazytime","norelatime","nostrictatime","nosuid","nosymfollow","private","ratime","rbind","rdev","rdiratime","relatime","remount","rexec","rnoatime","rnodev","rnodiratime","rnoexec","rnorelatime",
	"rnostrictatime","rnosuid","rnosymfollow","ro","rprivate","rrelatime","rro","rrw","rshared","rslave","rstrictatime","rsuid","rsymfollow","runbindable","rw","shared","silent","slave","strictatime","suid",
	"symfollow","sync","tmpcopyup","unbindable","idmap","ridmap"]) - .mountOptions' '[]'
# Item 204
fact 'namespaces' "$text" '.linux.namespaces | sort' '["cgroup","ipc","mount","network","pid","time","user","uts"]'
last=$(cat /proc/sys/kernel/cap_last_cap)
fact 'all capabilities' "$text" '.linux.capabilities | [length > '"$last"', all(startswith("CAP_")), index("CAP_CHECKPOINT_RESTORE") != null]' '[true,true,true]'
# Item 205
fact 'cgroup' "$text" '.linux.cgroup | [.v1, .v2, .rdma, (.systemd | type), (.systemdUser | type)]' '[true,true,true,"boolean","boolean"]'
# Item 206
fact 'seccomp actions' "$text" '.linux.seccomp.actions | sort' '["SCMP_ACT_ALLOW","SCMP_ACT_ERRNO","SCMP_ACT_KILL","SCMP_ACT_KILL_PROCESS","SCMP_ACT_KILL_THREAD","SCMP_ACT_LOG","SCMP_ACT_NOTIFY","SCMP_ACT_TRACE","SCMP_ACT_TRAP"]'
fact 'seccomp operators' "$text" '.linux.seccomp.operators | length' 7
fact 'seccomp architectures' "$text" '.linux.seccomp.archs | [length, index("SCMP_ARCH_RISCV64") != null]' '[23,true]'
fact 'seccomp flags' "$text" '.linux.seccomp | [(.knownFlags | length), ((.supportedFlags - .knownFlags) | length)]' '[4,0]'
# Items 207-211
fact 'apparmor, selinux' "$text" '.linux | [.apparmor.enabled, .selinux.enabled]' '[true,true]'
fact 'intelRdt' "$text" '.linux.intelRdt | [.enabled, .schemata, .monitoring]' '[true,true,true]'
fact 'memoryPolicy' "$text" '.linux.memoryPolicy | [(.modes | length), (.flags | length)]' '[7,3]'
fact 'idmapped mounts' "$text" .linux.mountExtensions.idmap.enabled true
fact 'netDevices' "$text" .linux.netDevices.enabled true
# Item 212
fact 'nothing is null' "$text" '[.. | select(. == null)] | length' 0

# What is listed is taken, and what is not is refused
while read -r flag; do
	[ "$flag" != SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV ] || continue # the kernel has it with a listener only
	runs "supported: $flag" fine ".linux.seccomp = {\"defaultAction\": \"SCMP_ACT_ALLOW\", \"flags\": [\"$flag\"]}" -- echo fine
done < <(jq -r '.linux.seccomp.supportedFlags[]' <<<"$text")
bundle
list=$(jq -c '[.linux.capabilities[]]' <<<"$text")
config --argjson list "$list" '.process.capabilities.bounding = $list'
unlike 'every capability is known' "$(holm run "$id" 2>&1)" unknown
