#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Images in which every name that holm touches is something else: symlinks out of the root (absolute, "..", dangling, magic),
# fifos, sockets, files, folders, devices (security.md, classes A, B and E).  A start may succeed or be refused; the host must be
# as before, and nothing may hang.
# timeout: 600
# where: host
. "$(dirname "$0")/lib.sh"

# What an attacker wants to reach: a tree of the host, named by the links, with a file of each kind.
canary=$work/canary
mkdir -p "$canary/etc" "$canary/dev" "$canary/proc/self" "$canary/sys" "$canary/deep/er"
echo secret >"$canary/etc/passwd"
echo null >"$canary/dev/null"
: >"$canary/proc/kcore"
mkfifo "$canary/fifo"
ln -s etc "$canary/link"

# Everything about the tree that a runtime could change.
fingerprint() {
	find "$canary" -printf '%P %y %m %U:%G %n %s %T@ %l\n' | sort
	find "$canary" -type f -exec cat {} +
	grep -cF "$canary" /proc/self/mountinfo
	stat -c '%n %F %a %u:%g %t:%T' /dev/null /dev/console /dev/ptmx /dev/tty /dev/pts /proc /sys /etc/passwd
	cat /proc/sys/kernel/core_pattern /proc/sys/kernel/hostname
	mount | grep -E " on (/|/proc|/sys|/dev)(/[a-z]+)? |$work" | sort
}
before=$(fingerprint)

# What stands in the place of a name.  The magic links are those of the host's processes: of init, of ours, of "self".
kinds=(absolute absolute_file dots dangling dangling_out dangling_deep root self magic_cwd magic_root magic_fd fifo socket file folder device loop)
plant() {
	local kind=$1 path=$2
	rm -rf "$path"
	case $kind in
	absolute) ln -s "$canary/deep" "$path" ;;
	absolute_file) ln -s "$canary/etc/passwd" "$path" ;;
	dots) ln -s "../../../../../../../../../../../../$canary/deep" "$path" ;;
	dangling) ln -s /nowhere "$path" ;;
	dangling_out) ln -s "../../../../../../../../../../$canary/made" "$path" ;;
	dangling_deep) ln -s "$canary/deep/made/by/holm" "$path" ;;
	root) ln -s / "$path" ;;
	self) ln -s . "$path" ;;
	magic_cwd) ln -s /proc/self/cwd "$path" ;;
	magic_root) ln -s "/proc/1/root/$canary/deep" "$path" ;;
	magic_fd) ln -s /proc/self/fd/7 "$path" ;;
	fifo) mkfifo "$path" ;;
	socket) python3 -c 'import os, socket, sys; os.chdir(os.path.dirname(sys.argv[1])); socket.socket(socket.AF_UNIX).bind(os.path.basename(sys.argv[1]))' "$path" ;;
	file) echo file >"$path" ;;
	folder) mkdir "$path"; echo inside >"$path/inside" ;;
	device) mknod "$path" c 1 7 ;;
	loop) ln -s "${path##*/}" "$path" ;;
	esac
}

# Everything that a config can point at.
bundle
own_root
rich='.mounts += [
	{"destination": "/made/by/holm", "type": "tmpfs", "source": "tmpfs", "options": ["mode=700"]},
	{"destination": "/etc/hosts", "type": "bind", "source": "/etc/hostname", "options": ["bind", "ro"]},
	{"destination": "/data", "type": "bind", "source": "/usr/share", "options": ["rbind", "ro"]},
	{"destination": "/copied", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"]}]
	| .linux.devices = [{"type": "c", "path": "/dev/extra", "major": 1, "minor": 5, "fileMode": 438, "uid": 7, "gid": 7},
		{"type": "p", "path": "/outside/pipe", "uid": 7, "gid": 7}]
	| .linux.maskedPaths += ["/masked", "/masked/file"] | .linux.readonlyPaths += ["/readonly", "/etc"]
	| .linux.sysctl = {"net.ipv4.ip_forward": "1"}
	| .process.cwd = "/srv/dir" | .process.oomScoreAdj = 500 | .root.readonly = false'
config "$rich"
config '.process.args = ["/bin/busybox", "sh", "-c", "echo here >/tmp/out; echo ran"]'
saved=$work/saved
cp -a "$root" "$saved"
cp "$bundle/config.json" "$work/config.saved"

places=(dev dev/null dev/console dev/pts dev/ptmx dev/shm dev/mqueue dev/extra dev/fd proc sys proc/sys proc/self etc etc/hosts etc/passwd made
	made/by made/by/holm data copied outside outside/pipe masked masked/file readonly srv srv/dir tmp bin)

runs=0 hung=() odd=()
attempt() {
	local status
	rm -rf "$root" && cp -a "$saved" "$root"
	mkdir -p "$root/$(dirname "$2")"
	plant "$1" "$root/$2" || return
	runs=$((runs + 1))
	timeout 10 "$HOLM" --root "$state" run --bundle "$bundle" "$id" </dev/null >"$work/out" 2>&1
	status=$?
	[ $status -ne 124 ] || hung+=("$1 at /$2")
	# Success, the payload's own failure, or one line that says what is wrong.
	if [ $status -ne 0 ] && [ "$(wc -l <"$work/out")" -gt 3 ]; then odd+=("$1 at /$2: $(cat "$work/out")"); fi
	grep -q 'BUG\|invariant' "$work/out" && odd+=("$1 at /$2: $(cat "$work/out")")
	[ ! -d "$state/$id" ] || holm delete --force "$id" >/dev/null 2>&1
}

broken=()
for place in "${places[@]}"; do
	for kind in "${kinds[@]}"; do attempt "$kind" "$place"; done
	if [ "$(fingerprint)" != "$before" ]; then
		broken+=("something at /$place: $(diff <(echo "$before") <(fingerprint) | head -5)")
		before=$(fingerprint)
	fi
done
is "the host is untouched after $runs hostile roots" "${broken[*]-}" ''
is 'none of them hangs' "${hung[*]-}" ''
is 'each failure is told in a line' "${odd[*]-}" ''

# --- what must work in spite of links: they lead somewhere inside the root -------------------------------------------------
fresh() {
	rm -rf "$root" && cp -a "$saved" "$root"
	cp "$work/config.saved" "$bundle/config.json"
}

fresh
ln -s /inner/target "$root/data"
config '.process.args = ["ls", "/inner/target"]'
like 'a dangling symlink as mount target is followed inside the root' "$(holm run "$id" 2>&1)" 'doc'

fresh
ln -s ../../../../inner "$root/made"
config '.process.args = ["sh", "-c", "stat -f -c %T /inner/by/holm; stat -c %a /inner/by/holm"]'
is 'a link with too many dots ends at the root' "$(holm run "$id" 2>&1 | tr '\n' ' ')" 'tmpfs 700 '

fresh
rm -rf "${root:?}/dev" && ln -s /elsewhere "$root/dev"
config '.process.args = ["sh", "-c", "stat -c \"%t:%T\" /dev/null /elsewhere/null"]'
is '/dev as a link: the devices are real' "$(holm run "$id" 2>&1 | tr '\n' ' ')" '1:3 1:3 '

# --- the image has its own idea of the devices ------------------------------------------------------------------------------
fresh
rm -rf "${root:?}/dev" && mkdir "$root/dev"
echo fake >"$root/dev/null"
ln -s "$canary/etc/passwd" "$root/dev/zero"
config '.process.args = ["sh", "-c", "cat /proc/keys /proc/timer_list; stat -c %F /dev/null /dev/zero; cat /dev/null; ls -A /sys/firmware"]'
is 'a fake /dev/null of the image is not what masks' "$(holm run "$id" 2>&1)" "$(printf 'character special file\ncharacter special file')"

for target in /dev/console /etc/passwd /proc/sys/kernel/core_pattern "$canary/etc/passwd"; do
	fresh
	rm -rf "$root/dev/console" && mkdir -p "$root/dev" && ln -s "$target" "$root/dev/console"
	config '.process.terminal = true | .mounts |= map(select(.destination != "/dev" and .destination != "/dev/shm" and .destination != "/dev/mqueue")) | .process.args = ["tty"]'
	timeout 10 "$HOLM" --root "$state" run --bundle "$bundle" "$id" </dev/null >"$work/out" 2>&1
	is "a terminal with /dev/console leading to ${target/$work/}: the host is untouched" "$(fingerprint | diff <(echo "$before") - | head -5)" ''
	[ ! -d "$state/$id" ] || holm delete --force "$id"
done

# --- /proc -------------------------------------------------------------------------------------------------------------------
fresh
rm -rf "${root:?}/proc" && ln -s /fake "$root/proc" && mkdir -p "$root/fake/sys/kernel" && echo fake >"$root/fake/sysrq-trigger"
refuses '/proc as a link is refused' "symlink" holm run "$id"
fresh
rm -rf "${root:?}/sys" && ln -s /fake "$root/sys"
refuses '/sys as a link is refused' "symlink" holm run "$id"
fresh
ln -s /proc/sys "$root/into"
config '.mounts += [{"destination": "/into/kernel", "type": "tmpfs", "source": "tmpfs"}]'
refuses 'a mount target that leads into /proc is refused' "/proc" holm run "$id"
for destination in /proc/self/attr /proc/sys /proc/sys/kernel /proc/1/../sys; do
	fresh
	config --arg d "$destination" '.mounts += [{"destination": $d, "type": "tmpfs", "source": "tmpfs"}]'
	refuses "a mount over $destination is refused" "/proc" holm run "$id"
done
fresh
config '.mounts |= map(if .destination == "/proc" then {"destination": "/proc", "type": "tmpfs", "source": "tmpfs"} else . end)'
refuses 'a tmpfs as /proc is refused' "procfs" holm run "$id"

# A remount names what is mounted; through a link it must not reach the file system that the root lies on.  (That is a tmpfs
# of a mount namespace of the test's own here: a failure must not make this machine's disk read-only.)
fresh
config '.mounts += [{"destination": "/again", "source": "none", "options": ["remount", "ro"]}]'
ln -s / "$root/again"
got=$(unshare --mount --propagation private sh -c '
	mount -t tmpfs tmpfs "$2" && cp -a "$1" "$2/rootfs" && cp "$3/config.json" "$2" && "$4" --root "$5" run --bundle "$2" "$6" 2>&1
	touch "$2/writable" 2>&1 && echo writable' - "$root" "$canary/deep" "$bundle" "$HOLM" "$state" "$id")
like 'remounting through a link does not reach the file system under the root' "$got" 'writable$'
[ ! -d "$state/$id" ] || holm delete --force "$id"

is 'at the end the host is as before' "$(fingerprint | diff <(echo "$before") - | head -5)" ''
