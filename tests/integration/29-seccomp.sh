#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# linux.seccomp: actions, errno, arguments, flags, refusals; the cache of compiled filters.
# where: host
. "$(dirname "$0")/lib.sh"

refuse_run() {
	refuses "$1" "$2" holm run "$id"
}
allow='.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW"}'
getppid=110 getpid=39 personality=135 unheard=5000
[ "$(uname -m)" = x86_64 ] || skip_all 'the numbers are those of x86-64'

bundle "$allow"
fact 'a filter is there' "$(probe_run process)" .process.seccomp 2
bundle "$allow | .linux.seccomp.syscalls = [{\"names\": [\"getppid\"], \"action\": \"SCMP_ACT_ERRNO\"}]" -- probe call $getppid
is 'ERRNO is EPERM by default' "$(holm run "$id")" EPERM
bundle "$allow | .linux.seccomp.syscalls = [{\"names\": [\"getppid\", \"no_such_call\"], \"action\": \"SCMP_ACT_ERRNO\", \"errnoRet\": 95}]" -- probe call $getppid
is 'errnoRet, beside a name that nobody knows' "$(holm run "$id")" EOPNOTSUPP
bundle "$allow | .linux.seccomp.syscalls = [{\"names\": [\"getppid\"], \"action\": \"SCMP_ACT_ERRNO\", \"errnoRet\": 1}]" -- probe call $getppid
is 'the cache knows one errnoRet from another' "$(holm run "$id")" EPERM
for action in SCMP_ACT_KILL SCMP_ACT_KILL_PROCESS SCMP_ACT_TRAP; do
	bundle "$allow | .linux.seccomp.syscalls = [{\"names\": [\"getppid\"], \"action\": \"$action\"}]" -- probe call $getppid
	holm run "$id" >/dev/null 2>&1
	is "$action" $? 159
done
bundle "$allow | .linux.seccomp.syscalls = [{\"names\": [\"getppid\"], \"action\": \"SCMP_ACT_LOG\"}]" -- probe call $getppid
is SCMP_ACT_LOG "$(holm run "$id")" 0

# personality(PER_LINUX32) alone is allowed
bundle "$allow | .linux.seccomp.syscalls = [
	{\"names\": [\"personality\"], \"action\": \"SCMP_ACT_ERRNO\", \"errnoRet\": 22, \"args\": [{\"index\": 0, \"value\": 8, \"op\": \"SCMP_CMP_NE\"}]}]" -- \
	sh -c "probe call $personality 0; probe call $personality 8"
is 'an argument' "$(holm run "$id" | xargs)" 'EINVAL 0'
for op in 'SCMP_CMP_EQ 5:EPERM 6:ENOSYS' 'SCMP_CMP_LT 4:EPERM 5:ENOSYS' 'SCMP_CMP_LE 5:EPERM 6:ENOSYS' 'SCMP_CMP_GE 5:EPERM 4:ENOSYS' 'SCMP_CMP_GT 6:EPERM 5:ENOSYS'; do
	read -r name first second <<<"$op"
	bundle "$allow | .linux.seccomp.syscalls = [
		{\"names\": [\"sysfs\"], \"action\": \"SCMP_ACT_ERRNO\", \"errnoRet\": 1, \"args\": [{\"index\": 0, \"value\": 5, \"op\": \"$name\"}]}]" -- \
		sh -c "probe call 139 ${first%:*}; probe call 139 ${second%:*}"
	text=$(holm run "$id" | xargs)
	like "operator $name" "$text" '^EPERM '
	unlike "operator $name: no more than that" "${text#* }" EPERM
done
bundle "$allow | .linux.seccomp.syscalls = [
	{\"names\": [\"sysfs\"], \"action\": \"SCMP_ACT_ERRNO\", \"args\": [{\"index\": 0, \"value\": 12, \"valueTwo\": 4, \"op\": \"SCMP_CMP_MASKED_EQ\"}]}]" -- \
	sh -c "probe call 139 6; probe call 139 9"
like 'operator SCMP_CMP_MASKED_EQ' "$(holm run "$id" | xargs)" '^EPERM E'

bundle '.linux.seccomp = '"$(jq -c .linux.seccomp tests/specs/docker-01.json)" -- sh -c "probe call $getpid; probe call $unheard; probe call 246"
text=$(holm run "$id" | xargs)
like "Docker's profile: what it allows" "$text" '^[0-9]+ '
like "Docker's profile: newer than itself is ENOSYS" "$text" ' ENOSYS '
like "Docker's profile: what it denies is EPERM" "$text" ' EPERM$'
is "Docker's profile, from the cache" "$(holm run "$id" | xargs | cut -d ' ' -f 2-)" 'ENOSYS EPERM'

bundle '.linux.seccomp = {"defaultAction": "SCMP_ACT_WISH"}'
refuse_run 'an unknown action' 'SCMP_ACT_WISH'
bundle "$allow | .linux.seccomp.syscalls = [{\"names\": [], \"action\": \"SCMP_ACT_ERRNO\"}]"
! is_holm || refuse_run 'no names' names
bundle "$allow | .linux.seccomp.syscalls = [{\"names\": [\"getppid\"], \"action\": \"SCMP_ACT_ERRNO\", \"args\": [{\"index\": 0, \"value\": 1, \"op\": \"SCMP_CMP_WISH\"}]}]"
refuse_run 'an unknown operator' 'SCMP_CMP_WISH'
bundle "$allow | .linux.seccomp.architectures = [\"SCMP_ARCH_WISH\"]"
refuse_run 'an unknown architecture' 'SCMP_ARCH_WISH'
bundle "$allow | .linux.seccomp.flags = [\"SECCOMP_FILTER_FLAG_WISH\"]"
refuse_run 'an unknown flag' 'SECCOMP_FILTER_FLAG_WISH'
bundle "$allow | .linux.seccomp.syscalls = [{\"names\": [\"getppid\"], \"action\": \"SCMP_ACT_NOTIFY\"}]"
refuse_run 'NOTIFY without a listener' '[Ll]istener|notify|NOTIFY'
bundle "$allow | .linux.seccomp.listenerMetadata = \"x\""
! is_holm || refuse_run 'metadata without a listener' listener

# exec gets the same filter
bundle "$allow | .linux.seccomp.syscalls = [{\"names\": [\"getppid\"], \"action\": \"SCMP_ACT_ERRNO\", \"errnoRet\": 95}]" -- sleep 1000
run_detached
is 'exec is filtered too' "$(holm exec "$id" probe call $getppid)" EOPNOTSUPP

# notify: the descriptor and a document arrive
cat >"$work/listener.py" <<'X'
import json, os, socket, sys
listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.bind(sys.argv[1] + ".new")
listener.listen(1)
os.rename(sys.argv[1] + ".new", sys.argv[1])
connection = listener.accept()[0]
data, fds, _, _ = socket.recv_fds(connection, 65536, 4)
while True:
    more = connection.recv(65536)
    if not more:
        break
    data += more
print(json.dumps({"document": json.loads(data), "fds": len(fds)}))
X
python3 "$work/listener.py" "$work/notify" >"$work/notified" &
wait_for 10 test -S "$work/notify"
bundle "$allow | .linux.seccomp += {\"listenerPath\": \"$work/notify\", \"listenerMetadata\": \"opaque\", \"syscalls\": [{\"names\": [\"getppid\"], \"action\": \"SCMP_ACT_NOTIFY\"}]}" -- true
check 'run with a listener' holm run "$id"
wait_for 5 test -s "$work/notified"
text=$(cat "$work/notified")
fact 'one descriptor, named' "$text" '[.fds, .document.fds]' '[1,["seccompFd"]]'
fact 'metadata and state' "$text" '[.document.metadata, .document.state.id]' "[\"opaque\",\"$id\"]"
bundle "$allow | .linux.seccomp += {\"listenerPath\": \"$work/nobody\", \"syscalls\": [{\"names\": [\"getppid\"], \"action\": \"SCMP_ACT_NOTIFY\"}]}" -- true
refuse_run 'a listener that is not there' "$work/nobody|[Nn]o such file"
