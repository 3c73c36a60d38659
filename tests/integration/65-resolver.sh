#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What init calls, as strace sees it: names in the root go through openat2 inside the root and without magic links, everything
# else is a descriptor and at most a single name, and no file of a /proc that could be the image's is opened (security.md, rules
# A and B).
# tags: host
# where: host
. "$(dirname "$0")/lib.sh"
command -v strace >/dev/null || skip_all 'no strace'
is_holm || skip_all 'about the init of holm'

cat >"$work/judge.py" <<'END'
import re, sys

# After its mount namespace exists init may name these paths of the host, and nothing else.
HOST = {'/', '.', '/dev/null'}
# The last steps run as the payload's user, inside the root: looking for the program.
PROGRAM = {'newfstatat', 'faccessat2', 'execve'}
WITH_DIRFD = {'openat', 'openat2', 'newfstatat', 'mkdirat', 'mknodat', 'symlinkat', 'readlinkat', 'fchownat', 'open_tree', 'move_mount',
              'mount_setattr', 'faccessat2', 'unlinkat', 'linkat', 'renameat2', 'utimensat', 'fchmodat', 'execveat', 'fspick'}
NEVER = {'open', 'stat', 'lstat', 'mount', 'mkdir', 'mknod', 'symlink', 'chown', 'lchown', 'chmod', 'unlink', 'rename', 'link', 'creat',
         'rmdir', 'access', 'truncate', 'statfs', 'umount'}
pids, mounted, pivoted, judged, bad = {}, set(), set(), 0, []
for line in open(sys.argv[1]):
    m = re.match(r'(\d+) +(\w+)\((.*)', line)
    if not m:
        continue
    pid, call, rest = m.groups()
    if call == 'execveat' and '"holm-init"' in rest:
        pids[pid] = True
        continue
    if call == 'clone3' and pids.get(pid):
        child = re.search(r'= (\d+)$', rest)
        if child:
            pids[child.group(1)] = True
            mounted.add(child.group(1)) if pid in mounted else None
    if not pids.get(pid):
        continue
    judged += 1
    if call == 'unshare' and 'CLONE_NEWNS' in rest or call == 'setns':
        mounted.add(pid)
    if call == 'pivot_root':
        pivoted.add(pid)
    if call in NEVER:
        bad.append(line)
    if call == 'openat2' and ('RESOLVE_NO_MAGICLINKS' not in rest or not re.search('RESOLVE_(IN_ROOT|BENEATH)', rest)):
        bad.append(line)
    strings = re.findall(r'(AT_FDCWD|\d+), "((?:[^"\\]|\\.)*)"', rest)
    if call in WITH_DIRFD and call != 'openat2':
        for dirfd, path in strings:
            if dirfd == 'AT_FDCWD':
                if pid in mounted and path not in HOST and call not in PROGRAM:
                    bad.append(line)
            elif '/' in path and not (call == 'move_mount' and path == '/'):
                bad.append(line)
    if call == 'execve':
        pids[pid] = False
print(''.join(bad), end='')
print(judged if judged > 20 else 'too little was seen', file=sys.stderr)
END

# A sanitizer's search for leaks can't be traced.
trace() {
	ASAN_OPTIONS=detect_leaks=0 timeout 60 strace -f -s 256 -o "$work/trace" -e trace=%file,unshare,setns,clone3,openat2,open_tree,move_mount,mount_setattr,fspick "$@"
}

judge() {
	local judged
	judged=$(python3 "$work/judge.py" "$work/trace" 2>&1 >"$work/bad")
	is "$1 ($judged calls)" "$(head -n 5 "$work/bad")" ''
	like "$1: init was seen" "$judged" '^[0-9]+$'
}

rich='.mounts += [
	{"destination": "/made/by/holm", "type": "tmpfs", "source": "tmpfs"},
	{"destination": "/link/in", "type": "tmpfs", "source": "tmpfs", "options": ["ro"]},
	{"destination": "/etc/hosts", "type": "bind", "source": "/etc/hostname", "options": ["bind", "ro"]},
	{"destination": "/data", "type": "bind", "source": "/usr/share", "options": ["rbind", "ro"]},
	{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"]},
	{"destination": "/copied", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"]},
	{"destination": "/data", "options": ["remount", "bind", "nosuid"]}]
	| .linux.devices = [{"type": "c", "path": "/dev/extra", "major": 1, "minor": 5}, {"type": "p", "path": "/outside/pipe"}]
	| .linux.maskedPaths += ["/masked", "/link/masked"] | .linux.readonlyPaths += ["/etc"]
	| .linux.sysctl = {"net.ipv4.ip_forward": "1"} | .process.cwd = "/srv/dir" | .process.oomScoreAdj = 500
	| .hooks = {"createContainer": [{"path": "/bin/true"}], "createRuntime": [{"path": "/bin/true"}]}'
# A hook is a child of init that becomes a program of the host: not ours to judge.
for what in plain rich userns readonly; do
	bundle -- true
	own_root
	mkdir -p "$root/copied/deep" "$root/masked"
	touch "$root/copied/deep/file"
	ln -s ../../../elsewhere "$root/link"
	case $what in
	rich) config "$rich" ;;
	userns) config '.linux.namespaces += [{"type": "user"}] | .linux.uidMappings = [{"containerID": 0, "hostID": 0, "size": 65536}]
		| .linux.gidMappings = .linux.uidMappings' ;;
	readonly) config '.root.readonly = true' ;;
	esac
	trace "$HOLM" --root "$state" run --bundle "$bundle" "$id" </dev/null >"$work/out" 2>&1 || not_ok "$what runs" "$(cat "$work/out")"
	judge "run, $what"
done

bundle "$rich" 'del(.hooks)' -- sleep 1000
own_root
holm create "$id" </dev/null >"$work/out" 2>&1
holm start "$id"
jq '.process | .args = ["true"] | .oomScoreAdj = 100' "$bundle/config.json" >"$work/process.json"
trace "$HOLM" --root "$state" exec --process "$work/process.json" "$id" </dev/null >"$work/out" 2>&1 || not_ok 'exec runs' "$(cat "$work/out")"
python3 "$work/judge.py" "$work/trace" >"$work/bad" 2>/dev/null
is 'exec' "$(head -n 5 "$work/bad")" ''
holm delete --force "$id"
