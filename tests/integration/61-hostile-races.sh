#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A neighbour who shares the root swaps its parts while containers are started in it (security.md, class A: CVE-2021-30465 and
# its like).  HOLM_RACES: how many starts for each scene.
# timeout: 600
# where: host
# tags: serial
. "$(dirname "$0")/lib.sh"
races=${HOLM_RACES:-300}

canary=$work/canary
mkdir -p "$canary/dir"
echo secret >"$canary/file"
fingerprint() {
	find "$canary" -printf '%P %y %m %U:%G %n %s %T@ %l\n' | sort
	cat "$canary/file" /proc/sys/kernel/core_pattern
	grep -cF "$canary" /proc/self/mountinfo
}

attacker=
attack() {
	coproc "$BUILD/tests/attack/exchange" "$@"
	attacker=$COPROC_PID
	read -r line <&"${COPROC[0]}"
	[ "$line" = ready ] || not_ok "the attacker runs: $*"
}

# scene NAME FILTER PATH-A PATH-B...: starts with the attacker at work.  The payload prints BROKEN when it has what it must not
# have; that a start fails is no fault, that none succeeds would make the test worthless.
scene() {
	local name=$1 before good=0 hung=0 status
	shift
	before=$(fingerprint)
	attack "$@"
	: >"$work/out"
	for ((i = 0; i < races; i++)); do
		timeout 10 "$HOLM" --root "$state" run --bundle "$bundle" "$id" </dev/null >>"$work/out" 2>"$work/err"
		status=$?
		[ $status -ne 124 ] || hung=$((hung + 1))
		if [ $status -eq 0 ]; then
			good=$((good + 1))
		elif [ -d "$state/$id" ]; then
			holm delete --force "$id" >/dev/null 2>&1
		fi
	done
	kill "$attacker" 2>/dev/null
	wait "$attacker" 2>/dev/null
	is "$name: the host is untouched" "$(fingerprint)" "$before"
	is "$name: the payload has nothing that it should not" "$(grep -m 3 BROKEN "$work/out")" ''
	is "$name: none hangs" $hung 0
	if [ $good -gt 0 ]; then ok "$name: $good of $races starts succeed"; else not_ok "$name: some start succeeds" "$(cat "$work/err")"; fi
}

bundle '.mounts += [{"destination": "/a/b/c", "type": "tmpfs", "source": "tmpfs"}]' -- \
	sh -c '[ ! -e /a/b/secret ] || echo BROKEN'
own_root
mkdir -p "$root/a/b" "$root/a/other"
ln -s "$canary/dir" "$root/a/link"
scene 'a parent of a mount target becomes a link' "$root/a/b" "$root/a/link"

bundle '.mounts += [{"destination": "/a/b/c", "type": "bind", "source": "/etc/hostname", "options": ["bind"]}]' -- true
own_root
mkdir -p "$root/a/b" "$root/x"
touch "$root/a/b/c"
ln -s ../../../../../../../../../../../"$canary/file" "$root/a/b/link"
ln -s ../../../../../../../../../../../"$canary" "$root/x/link"
scene 'a file to bind on becomes a link with dots' "$root/a/b/c" "$root/a/b/link" "$root/a" "$root/x"

bundle '.linux.devices = [{"type": "c", "path": "/a/node", "major": 1, "minor": 3, "uid": 1234, "gid": 1234},
	{"type": "p", "path": "/a/b/pipe", "uid": 1234, "gid": 1234}]' -- true
own_root
mkdir -p "$root/a/b"
ln -s "$canary/dir" "$root/link"
scene 'the folder of a device becomes a link' "$root/a" "$root/link"

# /proc is no link when it is looked at, and one when it is opened: the procfs would be mounted where that leads.
# shellcheck disable=SC2016 # for the payload's shell
bundle -- sh -c 'for p in /proc /link /elsewhere; do ! grep -qs " /elsewhere " $p/self/mountinfo || echo BROKEN; done; true'
own_root
mkdir "$root/elsewhere"
ln -s elsewhere "$root/link"
scene '/proc becomes a link' "$root/proc" "$root/link"

# /proc is swapped for a folder of the attacker's between its mount and the masks: whichever the payload then looks at, the real one
# must be covered.
# shellcheck disable=SC2016 # for the payload's shell
bundle -- sh -c 'for p in /proc /fake /proc /fake; do
	cd "$p" && [ -d self/task ] || continue # from here the names may change, the folder stays
	if (: >>sysrq-trigger) 2>/dev/null; then echo "BROKEN sysrq-trigger can be written"; fi
	if (: >>sys/kernel/core_pattern) 2>/dev/null; then echo "BROKEN sys can be written"; fi
	if [ -s timer_list ]; then echo "BROKEN timer_list can be read"; fi
	done'
own_root
mkdir -p "$root/fake/sys/kernel" "$root/fake/bus" "$root/fake/fs" "$root/fake/irq"
touch "$root/fake/sysrq-trigger" "$root/fake/timer_list" "$root/fake/kcore" "$root/fake/sys/kernel/core_pattern"
scene '/proc is swapped for a fake one' "$root/proc" "$root/fake"

bundle '.process.cwd = "/a/b"' -- sh -c '[ ! -e secret ] && [ ! -e ../file ] || echo BROKEN'
own_root
mkdir -p "$root/a/b"
ln -s ../../../../../../../../../../../"$canary" "$root/link"
scene 'the working folder becomes a link' "$root/a" "$root/link"

bundle '.linux.maskedPaths = ["/secret/key"] | .linux.readonlyPaths = ["/secret/ro"]' -- true
own_root
mkdir -p "$root/secret/key" "$root/secret/ro"
ln -s "$canary" "$root/link"
scene 'the parent of a masked path becomes a link' "$root/secret" "$root/link"

bundle '.mounts += [{"destination": "/copied", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"]}]' -- \
	sh -c 'grep -rq secret /copied && echo BROKEN; true'
own_root
mkdir -p "$root/copied/in/it" "$root/copied/a"
touch "$root/copied/in/it/file"
ln -s "$canary" "$root/copied/link"
ln -s "$canary/file" "$root/copied/a/link"
scene 'a folder that is copied becomes a link' "$root/copied/in" "$root/copied/link" "$root/copied/a" "$root/copied/link"
