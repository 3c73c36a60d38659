#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The root and the mounts: section D of tests/oci-checklist.md.
# where: host
# timeout: 240
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/oci.sh"
is_holm || skip_all 'about holm alone'

# mount_is NAME JSON TARGET EXPRESSION [EXPECTED]: of the topmost mount there
mount_is() {
	fact "$1" "$2" "[.mounts[] | select(.target == \"$3\")][-1] | $4" "${5-true}"
}
# tmpfs TARGET OPTION...: a mount, as JSON
tmpfs() {
	jq -cn --arg target "$1" '{destination: $target, type: "tmpfs", source: "tmpfs", options: $ARGS.positional}' --args -- "${@:2}"
}
# bind TARGET SOURCE OPTION...
bind() {
	jq -cn --arg target "$1" --arg source "$2" '{destination: $target, source: $source, options: $ARGS.positional}' --args -- "${@:3}"
}
has() { # an expression: the option is there
	echo "((.options + \",\" + .super) | split(\",\") | index(\"$1\") != null)"
}
hasnt() {
	echo "((.options + \",\" + .super) | split(\",\") | index(\"$1\") == null)"
}

source=$work/source
mkdir -p "$source/sub"
echo content >"$source/file"
chmod 4755 "$source/file"

# Items 48, 49: root.path
runs 'an absolute root' fine -- echo fine
bundle -- echo fine
own_root
is 'a relative root' "$(holm run "$id")" fine
config '.root.path = "./rootfs/../rootfs/"'
is 'one with dots' "$(holm run "$id")" fine
ln -s rootfs "$bundle/link"
config '.root.path = "link"'
is 'a symlink to one' "$(holm run "$id")" fine
refused 'no root' 'config.json: root.*missing' 'del(.root)'
refused 'no path' 'config.json: root.path: is missing' '.root = {}'
refused 'not there' "root.path: .*'/nowhere/at/all'.*no such file" '.root.path = "/nowhere/at/all"'
refused 'a file' "root.path: .*'$source/file'.*[Nn]ot a directory" ".root.path = \"$source/file\""
# Item 50
runs 'a read-only root, with what is mounted on it as it was' 'refused shm tmp' '.root.readonly = true' ".mounts += [$(tmpfs /tmp)]" -- \
	sh -c 'echo x 2>/dev/null >/x || echo refused; echo shm >/dev/shm/x; cat /dev/shm/x; echo tmp >/tmp/x; cat /tmp/x'
is 'the root on the host stays writable' "$(touch "$rootfs/tmp/probe-me" && rm "$rootfs/tmp/probe-me" && echo yes)" yes

# Item 51: order; a mount on a mount
sees 'later mounts cover earlier ones' mounts '[.mounts[] | select(.target == "/first")][-1].source' two \
	'.mounts += [{"destination": "/first", "type": "tmpfs", "source": "one"}, {"destination": "/first", "type": "tmpfs", "source": "two"}]'
sees 'and lie in them' mounts '[.mounts[] | select(.target | startswith("/first")) | .target]' '["/first","/first/second"]' \
	".mounts += [$(tmpfs /first), $(tmpfs /first/second)]"
# Item 52
sees 'a relative destination' mounts '[.mounts[] | select(.type == "tmpfs" and .target == "/relative/one")] | length' 1 ".mounts += [$(tmpfs relative/one)]"
refused 'no destination' 'config.json: mounts\[6\].destination: ' '.mounts += [{"type": "tmpfs"}]'
refused 'an empty one' 'config.json: mounts\[6\].destination: |root itself' '.mounts += [{"type": "tmpfs", "destination": ""}]'
sees 'one with slashes and dots' mounts '[.mounts[] | select(.target == "/a/b")] | length' 1 ".mounts += [$(tmpfs //a/./b//)]"
# Item 53
bundle ".mounts += [$(tmpfs /new/deep/one), $(bind /new/file "$source/file" bind), $(bind /new/folder "$source" rbind)]" -- stat -c '%n %a %F' /new /new/deep /new/file
own_root
is 'what is missing is made' "$(holm run "$id" | xargs)" '/new 755 directory /new/deep 755 directory /new/file 4755 regular file'
is 'with these modes, empty' "$(cd "$root/new" && { stat -c '%n %a %s' file; stat -c '%n %a' folder deep/one; } | xargs)" "file 755 0 folder 755 deep/one 755"
# Item 54
for link in /etc ../../../../../../../etc etc; do
	bundle ".mounts += [$(tmpfs /link/holm-new)]"
	own_root
	ln -s "$link" "$root/link"
	mount_is "a symlink to $link stays inside" "$(probe_run mounts)" /etc/holm-new .type tmpfs
done
is 'and nothing is made on the host' "$(ls -d /etc/holm-new 2>/dev/null)" ''
bundle ".mounts += [$(bind /dangling "$source/file" bind), $(tmpfs /dang/ling), $(bind /last "$source" bind)]" -- sh -c 'cat /etc/made; ls -d /var/made/ling; cat /var/last/file'
own_root
ln -s etc/made "$root/dangling"
ln -s ../../../var/made "$root/dang"
ln -s /var/last "$root/last"
is 'dangling symlinks as targets' "$(holm run "$id" 2>&1 | xargs)" 'content /var/made/ling content'
bundle ".mounts += [$(tmpfs /loop/x)]"
own_root
ln -s loop "$root/loop"
still_refused 'a symlink to itself' "mounts\[6\].*[Ss]ymbolic links"

# Item 55: /proc and /sys
for target in /proc/self /proc/sys /proc/sys/kernel /proc/acpi /proc/1/attr; do
	refused "a mount on $target" "config.json: mounts\[6\].destination|mounts\[6\].*$target" ".mounts += [$(tmpfs $target)]"
done
for target in /proc/cpuinfo /proc/meminfo /proc/uptime /proc/stat /proc/loadavg; do
	runs "a file on $target" content ".mounts += [$(bind $target "$source/file" bind)]" -- cat $target
done
refused 'a tmpfs on /proc' 'mounts\[6\].type' ".mounts += [$(tmpfs /proc)]"
refused 'a folder of the host on /proc' 'mounts\[6\].*proc' ".mounts += [$(bind /proc "$source" bind)]"
runs 'the procfs of the host on /proc' fine '.linux.namespaces |= map(select(.type != "pid"))' ".mounts |= map(select(.destination != \"/proc\"))" ".mounts += [$(bind /proc /proc rbind)]" -- echo fine
for target in proc sys; do
	bundle
	own_root
	rm -rf "${root:?}/$target" && ln -s tmp "$root/$target"
	still_refused "/$target as a symlink" "mounts\[.\].*'/$target' is a symlink"
done
bundle ".mounts += [$(tmpfs /to-proc/sys)]"
own_root
ln -s proc "$root/to-proc"
still_refused 'a symlink into /proc' 'mounts\[6\].*/to-proc/sys'

# Item 56
bundle ".mounts += [$(bind /data relative bind)]" -- cat /data/file
cp -r "$source" "$bundle/relative"
is 'a relative source is of the bundle' "$(holm run "$id")" content
refused 'a source that is not there' "mounts\[6\]: .*'/nowhere/at/all'.*no such file" ".mounts += [$(bind /data /nowhere/at/all bind)]"
refused 'no source' 'config.json: mounts\[6\].source' '.mounts += [{"destination": "/data", "options": ["bind"]}]'
# Item 57
for type in '"bind"' '"none"' '"tmpfs"' '"anything"' 'null' '""'; do
	runs "a bind of type $type" content ".mounts += [$(bind /data-file "$source/file" rbind) + {type: $type}]" -- cat /data-file
done
refused 'a type of bind without the option' 'mounts\[6\].*bind' ".mounts += [{\"destination\": \"/data\", \"type\": \"bind\", \"source\": \"$source\"}]"
refused 'neither type nor bind' 'mounts\[6\].type' ".mounts += [{\"destination\": \"/data\", \"source\": \"$source\"}]"
refused 'a file on a folder' "mounts\[6\]: mount a file on '/usr': is a directory" ".mounts += [$(bind /usr "$source/file" bind)]"
refused 'a folder on a file' "mounts\[6\]: .*'/etc/passwd'.*[Nn]ot a directory" ".mounts += [$(bind /etc/passwd "$source" bind)]"
# Item 58
bundle ".mounts += [$(bind /data "$source" bind ro nosuid nodev noexec noatime nosymfollow)]"
text=$(probe_run mounts)
for option in ro nosuid nodev noexec noatime nosymfollow; do mount_is "a bind that is $option" "$text" /data "$(has $option)"; done
bundle ".mounts += [$(bind /data "$source" bind nosuid nodev noexec ro rw suid dev exec)]"
text=$(probe_run mounts)
for option in ro nosuid nodev noexec; do mount_is "a bind that is not $option after all" "$text" /data "$(hasnt $option)"; done
# Item 59
refused 'an option of a file system on a bind' "config.json: mounts\[6\].options.*size=1m" ".mounts += [$(bind /data "$source" bind size=1m)]"

# Item 60: what a runtime must know
filter=
for option in async atime defaults dev diratime dirsync exec iversion lazytime loud noatime nodev nodiratime noexec noiversion nolazytime \
	norelatime nostrictatime nosuid private relatime ro rprivate rshared rslave runbindable rw shared silent slave strictatime suid sync unbindable; do
	case $option in iversion) continue ;; esac # tmpfs has none
	filter+="$(tmpfs /m/$option $option),"
done
bundle ".mounts += [${filter%,}]"
text=$(probe_run mounts)
for option in noatime nodev nodiratime noexec nosuid relatime ro sync dirsync lazytime; do mount_is "option $option" "$text" /m/$option "$(has $option)"; done
for option in async atime defaults dev diratime exec loud noiversion nolazytime norelatime nostrictatime rw silent suid; do
	mount_is "option $option" "$text" /m/$option "([$(hasnt ro), $(hasnt nosuid), $(hasnt nodev), $(hasnt noexec), $(hasnt noatime), $(hasnt sync)] | all)"
done
mount_is 'option strictatime' "$text" /m/strictatime "$(hasnt relatime)"
for option in shared rshared; do mount_is "option $option" "$text" /m/$option '.propagation | startswith("shared:")'; done
for option in private rprivate slave rslave; do mount_is "option $option" "$text" /m/$option .propagation ''; done
for option in unbindable runbindable; do mount_is "option $option" "$text" /m/$option .propagation unbindable; done
# Items 61, 62: what it should know
filter=
for option in rro rrw rnosuid rsuid rnodev rdev rnoexec rexec rnodiratime rdiratime rrelatime rnorelatime rnoatime ratime rstrictatime rnostrictatime \
	rnosymfollow rsymfollow nosymfollow symfollow; do filter+="$(tmpfs /m/$option $option),"; done
bundle ".mounts += [${filter%,}]"
text=$(probe_run mounts)
for option in rro rnosuid rnodev rnoexec rnodiratime rrelatime rnoatime rnosymfollow; do mount_is "option $option" "$text" /m/$option "$(has ${option#r})"; done
for option in rrw rsuid rdev rexec rdiratime ratime rnoatime rsymfollow symfollow; do mount_is "option $option" "$text" /m/$option "$(hasnt ro)"; done
mount_is 'option rstrictatime' "$text" /m/rstrictatime "$(hasnt relatime)"
mount_is 'option nosymfollow' "$text" /m/nosymfollow "$(has nosymfollow)"
# Item 63: a tree of mounts, made in a mount namespace of the test's own
mkdir -p "$work/tree"
tree_run() { # OPTION...: what the probe sees of the tree bound with them, in $text
	bundle ".mounts += [$(bind /t "$work/tree" "$@")]"
	config '.process.args = ["/bin/probe", "mounts"]'
	# shellcheck disable=SC2016 # for the inner shell
	text=$(unshare -m --propagation private sh -c 'mount -t tmpfs tmpfs "$1" && mkdir "$1/sub" && mount -t tmpfs -o noatime tmpfs "$1/sub" && shift && exec "$@"' sh \
		"$work/tree" "$HOLM" --root "$state" run --bundle "$bundle" "$id")
}
tree_run rbind ro
mount_is 'rbind,ro: the top' "$text" /t "$(has ro)"
mount_is 'rbind,ro: only the top' "$text" /t/sub "$(hasnt ro)"
for option in rro rnosuid rnodev rnoexec rnodiratime rnosymfollow rnoatime; do
	tree_run rbind $option
	mount_is "rbind,$option: the top" "$text" /t "$(has ${option#r})"
	mount_is "rbind,$option: below it" "$text" /t/sub "$(has ${option#r})"
done
tree_run rbind rro rnosuid rrw
mount_is 'rbind,rro,rnosuid,rrw: the last word counts' "$text" /t/sub "[$(hasnt ro), $(has nosuid)] | all"
tree_run rbind rrelatime
mount_is 'rbind,rrelatime' "$text" /t/sub "[$(has relatime), $(hasnt noatime)] | all"
tree_run bind
fact 'bind alone leaves what is mounted below' "$text" '[.mounts[] | select(.target == "/t/sub")] | length' 0

# Item 64: tmpcopyup; mand and nomand are taken
bundle ".mounts += [$(tmpfs /full tmpcopyup mode=1755), $(tmpfs /empty tmpcopyup), $(tmpfs /absent tmpcopyup)]" -- sh -c '
	cat /full/a /full/b/c; readlink /full/l; stat -c "%a %u %g %Y" /full/x; stat -c %a /full; stat -c %F /full/p; ls -A /empty /absent; echo new >/full/a'
own_root
mkdir -p "$root/full/b" "$root/empty" && echo one >"$root/full/a" && echo two >"$root/full/b/c" && ln -s a "$root/full/l" && mkfifo "$root/full/p"
touch -d @1000000000 "$root/full/x"
chown 5:6 "$root/full/x" && chmod 4711 "$root/full/x"
is tmpcopyup "$(holm run "$id" 2>&1 | xargs)" 'one two a 4711 5 6 1000000000 1755 fifo /absent: /empty:'
is 'tmpcopyup leaves the image alone' "$(cat "$root/full/a")" one
bundle ".mounts += [$(tmpfs /full tmpcopyup ro)]" -- sh -c 'cat /full/a; echo x 2>/dev/null >/full/y || echo refused'
own_root
mkdir "$root/full" && echo one >"$root/full/a"
is 'tmpcopyup of one that is read-only in the end' "$(holm run "$id" 2>&1 | xargs)" 'one refused'
runs 'nomand' fine ".mounts += [$(tmpfs /m nomand)]" -- echo fine

# Item 65: propagation of binds, several
for option in shared:shared rshared:shared private: slave:master unbindable:unbindable; do
	bundle ".mounts += [$(bind /data "$source" rbind ${option%:*})]"
	mount_is "a bind that is ${option%:*}" "$(probe_run mounts)" /data "(.propagation | split(\":\")[0]) // \"\" | . == \"${option#*:}\" or (\"${option#*:}\" == \"master\" and . == \"\")"
done
bundle ".mounts += [$(tmpfs /data private slave shared)]"
mount_is 'several are applied in order' "$(probe_run mounts)" /data '.propagation | startswith("shared:")'
# Item 66
runs 'what holm does not know goes to the file system' '701 3 1024' ".mounts += [$(tmpfs /data size=1m mode=0701 uid=3)]" -- \
	sh -c 'stat -c "%a %u" /data; df -k /data | tail -n 1 | awk "{ print \$2 }"'
runs 'several in one string' '701 3' ".mounts += [$(tmpfs /data size=1m,mode=0701,uid=3)]" -- stat -c '%a %u' /data
refused 'which may refuse it' "mounts\[6\]: .*fancy" ".mounts += [$(tmpfs /data fancy)]"
refused 'a value that is too long for the kernel' "mounts\[6\]: .*option 'mode'.*255 bytes" ".mounts += [$(tmpfs /data "mode=$(printf '0%.0s' {1..256})")]"
# What mount(2) takes in one: lower folders whose names are longer together than a string of fsconfig(2).
for i in 1 2 3 4; do
	lower+=:$work/$(printf "$i%.0s" {1..99})
	mkdir "${lower##*:}"
	echo $i | tee "${lower##*:}/$i" >"${lower##*:}/all"
done
runs 'a long list of lower folders' '1 1 2 3 4' ".mounts += [{destination: \"/data\", type: \"overlay\", options: [\"lowerdir=${lower#:}\"]}]" -- \
	sh -c 'cd /data && echo $(cat all 1 2 3 4)'
user='.linux.namespaces += [{"type": "user"}] | .linux.uidMappings = [{"containerID": 0, "hostID": 0, "size": 65536}] | .linux.gidMappings = .linux.uidMappings'
refused 'a sysfs without a network namespace' 'mounts\[5\]: mount sysfs .*network namespace' "$user" '.linux.namespaces |= map(select(.type != "network"))'
refused 'a procfs without a pid namespace' 'mounts\[0\]: mount proc .*pid namespace' "$user" '.linux.namespaces |= map(select(.type != "pid"))'
refused 'or its value' "mounts\[6\]: .*size" ".mounts += [$(tmpfs /data size=many)]"
refused 'no such file system' "mounts\[6\]: .*nosuchfs.*no such file system" '.mounts += [{"destination": "/a", "type": "nosuchfs"}]'

# Items 67-71: idmapped mounts
maps='{"uidMappings": [{"containerID": 0, "hostID": 1000, "size": 10}], "gidMappings": [{"containerID": 0, "hostID": 2000, "size": 10}]}'
idmapped() { # OPTION...
	echo "$(bind /data "$work/mapped" "$@") + $maps"
}
mkdir -p "$work/mapped"
bundle ".mounts += [$(idmapped bind idmap)]" -- stat -c '%u %g' /data
chown 3:4 "$work/mapped"
if text=$(holm run "$id" 2>&1); then
	is 'idmap: the ids of the mount' "$text" '1003 2004'
	runs 'mappings alone mean idmap' '1003 2004' ".mounts += [$(idmapped bind)]" -- stat -c '%u %g' /data
	runs 'ridmap' '1003 2004' ".mounts += [$(idmapped rbind ridmap)]" -- stat -c '%u %g' /data
	touch "$work/mapped/other" && chown 50:50 "$work/mapped/other"
	runs 'an id without a mapping is nobody' '65534 65534' ".mounts += [$(idmapped bind)]" -- stat -c '%u %g' /data/other
	user='.linux.namespaces += [{"type": "user"}] | .linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}] | .linux.gidMappings = .linux.uidMappings'
	bundle "$user" ".mounts += [$(bind /data "$work/mapped" bind idmap)]" -- stat -c '%u %g' /data
	is "without mappings of its own: the container's" "$(holm run "$id" 2>&1)" '3 4'
	runs 'without idmap the host shines through' '65534 65534' "$user" ".mounts += [$(bind /data "$work/mapped" bind)]" -- stat -c '%u %g' /data
	bundle "$user" -- sleep 1000
	run_detached
	joined=$(pid_of)
	runs 'idmap with a joined user namespace' '3 4' '.linux.namespaces += [{"type": "user", "path": "/proc/'"$joined"'/ns/user"}]' \
		".mounts += [$(bind /data "$work/mapped" bind idmap)]" -- stat -c '%u %g' /data
	holm delete --force "$id" >/dev/null 2>&1
	runs 'what is written is written as the other id' 3 ".mounts += [$(idmapped bind)] | .process.user = {uid: 1003, gid: 2004}" -- sh -c 'touch /data/new && stat -c %u /data/new | sed s/1003/3/'
	is 'on the host' "$(stat -c '%u %g' "$work/mapped/new")" '3 4'
	runs 'crun writes idmap=' '1003 2004' ".mounts += [$(bind /data "$work/mapped" bind 'idmap=uids=0-1000-10;gids=0-2000-10')]" -- stat -c '%u %g' /data
else
	skip 'idmapped mounts' 'the file system under /var/tmp has none'
fi
refused 'uid mappings alone' 'config.json: mounts\[6\].*gidMappings' ".mounts += [$(bind /data "$source" bind) + ($maps | del(.gidMappings))]"
refused 'gid mappings alone' 'config.json: mounts\[6\].*uidMappings' ".mounts += [$(bind /data "$source" bind) + ($maps | del(.uidMappings))]"
refused 'idmap without any mappings' 'config.json: mounts\[6\].*mapp' ".mounts += [$(bind /data "$source" bind idmap)]"
refused 'idmap of what is not a bind' 'config.json: mounts\[6\].*bind' ".mounts += [$(tmpfs /data) + $maps]"

# Item 72
bundle ".mounts += [$(tmpfs /like), $(tmpfs /unlike mode=700)]" -- stat -c %a /like /unlike
own_root
mkdir -m 1710 "$root/like" && mkdir -m 755 "$root/unlike"
is 'a tmpfs has the mode of the folder, or the one given' "$(holm run "$id" | xargs)" '1710 700'

# Items 73, 74: cgroups
for private in no yes; do
	filter=.
	[ $private = no ] || filter='.linux.namespaces += [{"type": "cgroup"}]'
	for option in rw ro; do
		bundle "$filter" ".mounts += [{\"destination\": \"/sys/fs/cgroup\", \"type\": \"cgroup\", \"source\": \"cgroup\", \"options\": [\"$option\", \"nosuid\", \"nodev\", \"noexec\"]}]" -- \
			sh -c 'cd /sys/fs/cgroup; for f in . *; do [ -e $f/cgroup.procs ] && grep -qx 1 $f/cgroup.procs && echo -n "$f "; mkdir $f/new 2>/dev/null && rmdir $f/new && echo -n "writable "; done; echo'
		text=$(holm run "$id" 2>&1)
		if is_pure; then
			is "cgroups v2, namespace: $private, $option" "$text" ". $([ $option = rw ] && echo 'writable ')"
		else
			like "cgroups v1, namespace: $private, $option: its own folders" "$text" 'devices.*memory'
			like "cgroups v1, namespace: $private, $option: and v2" "$text" 'unified'
			if [ $option = rw ]; then like "cgroups v1, namespace: $private, rw" "$text" writable; else unlike "cgroups v1, namespace: $private, ro" "$text" writable; fi
		fi
	done
done
if ! is_pure; then
	runs 'v1, writable, in a namespace: every controller' 'cpu cpuset memory pids' '.linux.namespaces += [{"type": "cgroup"}] | .mounts += [{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup"}]' -- \
		sh -c 'cd /sys/fs/cgroup; for c in cpu cpuset memory pids; do [ ! -e $c/cgroup.procs ] || echo $c; done'
	runs 'v1: the folder itself is read-only when asked' refused '.mounts += [{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"]}]' -- \
		sh -c 'mkdir /sys/fs/cgroup/new 2>/dev/null || echo refused'
fi
sees 'cgroup2 in a cgroup namespace' mounts '[.mounts[] | select(.target == "/sys/fs/cgroup")][-1] | [.type, .root]' '["cgroup2","/"]' \
	'.linux.namespaces += [{"type": "cgroup"}] | .mounts += [{"destination": "/sys/fs/cgroup", "type": "cgroup2", "source": "cgroup"}]'

# Item 75
bundle -- sh -c 'cat /proc/1/comm; ls -d /sys/class/net; ls /dev/pts/ptmx; echo x >/dev/shm/x && cat /dev/shm/x; ls -d /dev/mqueue; head -c 2 /dev/zero | wc -c'
is 'the default file systems' "$(holm run "$id" | xargs)" 'sh /sys/class/net /dev/pts/ptmx x /dev/mqueue 2'

# remount: what is there is changed
runs 'remount of a mount of its own' 'refused' ".mounts += [$(tmpfs /data), {\"destination\": \"/data\", \"options\": [\"remount\", \"ro\"]}]" -- sh -c 'echo x 2>/dev/null >/data/x || echo refused'
bundle ".mounts += [$(bind /data "$source" bind), {\"destination\": \"/data\", \"options\": [\"remount\", \"bind\", \"ro\", \"nosuid\"]}]"
text=$(probe_run mounts)
mount_is 'remount of a bind' "$text" /data "[$(has ro), $(has nosuid)] | all"
# --no-pivot
bundle -- sh -c 'ls / | grep -c bin; cat /proc/1/comm; echo x >/tmp/no-pivot && echo written'
is '--no-pivot' "$(holm run --no-pivot "$id" 2>&1 | xargs)" '2 sh written'
