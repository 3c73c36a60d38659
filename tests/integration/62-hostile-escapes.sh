#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Ways out through what a start leaves open: stray descriptors and working folders (CVE-2024-21626), holm's own executable
# (CVE-2019-5736), sockets and state of the host (security.md, classes C, D and H).
# where: host
# timeout: 200
. "$(dirname "$0")/lib.sh"

# --- descriptors -------------------------------------------------------------------------------------------------------
stray() {
	for fd in {20..39}; do eval "exec $fd</"; done
	"$@"
}

bundle -- /bin/probe fds
got=$(stray holm run "$id" </dev/null)
is 'run with twenty stray descriptors: the payload has none' "$(jq -c '.fds | keys' <<<"$got")" '["0","1","2"]'

bundle -- sleep 1000
run_detached
got=$(stray holm exec "$id" /bin/probe fds </dev/null)
is 'exec with twenty stray descriptors: the payload has none' "$(jq -c '.fds | keys' <<<"$got")" '["0","1","2"]'
got=$(holm exec "$id" /bin/probe fds <&- 2>&-)
is 'exec with closed streams: they are /dev/null' "$(jq -c '[.fds["0"], .fds["2"]]' <<<"$got")" '["/dev/null","/dev/null"]'
holm delete --force "$id"

bundle -- /bin/probe fds
got=$(holm run "$id" <&- 2>&-)
is 'run with closed streams: they are /dev/null' "$(jq -c '[.fds["0"], .fds["2"]]' <<<"$got")" '["/dev/null","/dev/null"]'

bundle -- sh -c 'sleep 0.5; ls /proc/*/fd; cat /proc/*/environ | tr "\0" "\n"'
got=$(SECRET=of-the-host holm run "$id" </dev/null 2>/dev/null)
unlike 'the host'"'"'s environment does not come in' "$got" 'of-the-host'

# --- the working folder ------------------------------------------------------------------------------------------------
bundle -- sh -c 'pwd; ls -d ../../../etc/holm-test-canary ../../etc ./..' 
own_root
out=()
for fd in {3..64}; do
	config --arg cwd "/proc/self/fd/$fd" '.process.cwd = $cwd'
	got=$(stray holm run "$id" </dev/null 2>&1)
	[[ $got == *canary* || $got == */proc/self/fd/$fd* && $got != *error* ]] && out+=("$fd: $got")
	[ ! -d "$state/$id" ] || holm delete --force "$id"
done
is 'cwd = /proc/self/fd/N for N from 3 to 64 never starts' "${out[*]-}" ''

config '.process.cwd = "/way/out"'
out=()
mkdir "$root/way"
for fd in {3..40}; do
	ln -sfn "/proc/self/fd/$fd" "$root/way/out"
	got=$(stray holm run "$id" </dev/null 2>&1) && out+=("$fd: $got")
	[ ! -d "$state/$id" ] || holm delete --force "$id"
done
is 'nor through a link of the image' "${out[*]-}" ''

config '.process.cwd = "/" | .process.args = ["sleep", "1000"]'
run_detached
out=()
for fd in {3..40}; do
	got=$(stray holm exec --cwd "/proc/self/fd/$fd" "$id" pwd </dev/null 2>&1) && out+=("$fd: $got")
	ln -sfn "/proc/self/fd/$fd" "$root/way/out"
	got=$(stray holm exec --cwd /way/out "$id" pwd </dev/null 2>&1) && out+=("link $fd: $got")
done
is 'exec: the same' "${out[*]-}" ''
holm delete --force "$id"

# --- our own executable ---------------------------------------------------------------------------------------------------
installed=$HOLM
cp "$HOLM" "$work/holm"
HOLM=$work/holm
sum() {
	sha256sum "$HOLM" | cut -d' ' -f1
}
before=$(sum)
bundle '.process.capabilities |= map_values(["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_KILL"])' -- /bin/overwrite 6
own_root
cp "$BUILD/tests/attack/overwrite" "$root/bin/overwrite"
run_detached
wait_for 5 grep -q ready "$work/$id.out"
# Who comes in with a program of the host is caught, or the attacker would be none.  Only copies are at stake here, also of holm: a
# failure must not damage what this machine needs.
cp "$BUILD/tests/attack/overwrite" "$work/victim"
before_victim=$(sha256sum <"$work/victim")
for _ in 1 2 3 4 5; do "$work/victim" enter "$(pid_of)" 2>/dev/null; done
isnt 'a program of the host that enters the pid namespace is overwritten' "$(sha256sum <"$work/victim")" "$before_victim"
grep -v victim "$work/$id.out" >"$work/attacker.out"
: >"$work/$id.out"
execs=0
while [ "$(status_of)" = running ]; do
	timeout 10 "$HOLM" --root "$state" exec "$id" true </dev/null >/dev/null 2>&1 && execs=$((execs + 1))
done
is "$execs times exec beside a payload that attacks whoever comes in" "$(cat "$work/attacker.out" "$work/$id.out" | grep -v 'ready\|victim' | grep -E 'overwrote|opened|reached' | sort | uniq -c)" ''
is 'holm is the same file' "$(sum)" "$before"
if [ $execs -gt 10 ]; then ok 'and exec worked meanwhile'; else not_ok 'and exec worked meanwhile' "$execs times"; fi
holm delete --force "$id"

printf '#!/proc/self/exe\n' >"$root/bin/reexec"
chmod 755 "$root/bin/reexec"
for program in /bin/reexec /proc/self/exe; do
	config --arg p "$program" '.process.args = [$p, "0", "1"]'
	timeout 10 "$HOLM" --root "$state" run --bundle "$bundle" "$id" </dev/null >"$work/out" 2>&1
	isnt "$program as the program: it ends" $? 124
	is 'and holm is the same file' "$(sum)" "$before"
	[ ! -d "$state/$id" ] || holm delete --force "$id"
done

# What is executed on the way in can't be written even by root with every capability.
bundle '.process.capabilities |= map_values(["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"])' -- \
	sh -c 'exec 3</proc/self/exe; cat /proc/1/cmdline | tr "\0" " "'
holm create "$id" </dev/null >/dev/null 2>&1
exe=/proc/$(pid_of)/exe
like 'a created container runs from a memfd' "$(readlink "$exe")" 'memfd:'
refuses 'which is sealed' 'Operation not permitted|Text file busy' python3 -c 'import os, sys; fd = os.open(sys.argv[1], os.O_RDWR); os.pwrite(fd, b"x", 0)' "$exe"
holm delete --force "$id"

HOLM=$installed

# --- channels -----------------------------------------------------------------------------------------------------------------
bundle '.linux.namespaces |= map(select(.type != "network"))' -- cat /proc/net/unix
got=$(holm run "$id" </dev/null 2>/dev/null)
is 'no abstract socket of holm in a container with the host'"'"'s network' "$(grep -c '@.*holm' <<<"$got")" 0
bundle -- sleep 1000
holm create "$id" </dev/null >/dev/null 2>&1
is 'no abstract socket of holm on the host' "$(grep '@.*holm' /proc/net/unix)" ''
is 'state folders are for their owner alone' "$(find "$state" -type d ! -perm 0700)" ''
is 'and so are files and sockets in them' "$(find "$state" ! -type d ! -type l -perm /077)" ''
if [ "$(id -u)" -eq 0 ]; then
	refuses 'another user cannot list the state' 'denied' setpriv --reuid 65534 --regid 65534 --clear-groups ls "$state"
	refuses 'nor start what was created' '.' setpriv --reuid 65534 --regid 65534 --clear-groups "$HOLM" --root "$state" start "$id"
	is 'it still waits' "$(status_of)" created
fi
holm delete --force "$id"

# The payload of one container sees no descriptor and no socket of the next.
bundle -- sh -c 'cat /proc/self/mountinfo; cat /proc/self/cgroup'
got=$(holm run "$id" </dev/null)
unlike 'the state folder is not mounted anywhere inside' "$got" "$state"
