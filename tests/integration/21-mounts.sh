#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# mounts: every option, propagation, binds, targets, symlinks in them.
# where: host bare
# timeout: 180
. "$(dirname "$0")/lib.sh"

refuse_run() {
	refuses "$1" "$2" holm run "$id"
}
# mount_of JSON TARGET EXPRESSION: of the topmost mount there
mount_fact() {
	fact "$1" "$2" "[.mounts[] | select(.target == \"$3\")][-1] | $4" "${5-true}"
}

# Flags, one tmpfs each
flags='ro nosuid nodev noexec noatime nodiratime strictatime relatime sync dirsync lazytime nosymfollow'
filter='.mounts += ['
for flag in $flags; do filter+="{\"destination\": \"/m/$flag\", \"type\": \"tmpfs\", \"source\": \"tmpfs\", \"options\": [\"$flag\"]},"; done
bundle "${filter%,}]"
text=$(probe_run mounts)
for flag in ro nosuid nodev noexec noatime nodiratime relatime nosymfollow; do
	mount_fact "flag $flag" "$text" "/m/$flag" ".options | split(\",\") | index(\"$flag\") != null"
done
mount_fact 'flag strictatime' "$text" /m/strictatime '.options | test("relatime|noatime") | not'
for flag in sync dirsync lazytime; do
	mount_fact "flag $flag" "$text" "/m/$flag" ".super + \",\" + .options | split(\",\") | index(\"$flag\") != null"
done
none=(async atime defaults dev diratime exec iversion loud mand noiversion nolazytime nomand norelatime nostrictatime rw silent suid symfollow)
bundle ".mounts += [{\"destination\": \"/m\", \"type\": \"tmpfs\", \"source\": \"tmpfs\", \"options\": $(jq -cn '$ARGS.positional' --args "${none[@]}" | sed 's/"mand",//; s/"iversion",//')}]"
mount_fact 'options that switch something off, or say the default' "$(probe_run mounts)" /m '.options | test("rw")'

bundle '.mounts += [{"destination": "/data", "type": "tmpfs", "source": "tmpfs", "options": ["size=1m", "mode=0701", "uid=3"]}]' -- \
	sh -c 'stat -c "%a %u" /data; df -k /data | tail -n 1 | awk "{ print \$2 }"'
is 'options for the file system' "$(holm run "$id" | xargs)" '701 3 1024'
bundle '.mounts += [{"destination": "/data", "type": "tmpfs", "source": "tmpfs", "options": ["fancy"]}]'
refuse_run 'an option that nobody knows' 'data|fancy'

# Propagation
filter='.mounts += ['
for flag in shared rshared slave rslave private rprivate unbindable runbindable; do filter+="{\"destination\": \"/p/$flag\", \"type\": \"tmpfs\", \"source\": \"tmpfs\", \"options\": [\"$flag\"]},"; done
bundle "${filter%,}]"
text=$(probe_run mounts)
for flag in shared rshared; do mount_fact "propagation $flag" "$text" "/p/$flag" '.propagation | startswith("shared")'; done
for flag in slave rslave private rprivate; do mount_fact "propagation $flag" "$text" "/p/$flag" .propagation ''; done
for flag in unbindable runbindable; do mount_fact "propagation $flag" "$text" "/p/$flag" .propagation unbindable; done

# Binds
mkdir -p "$work/source/below"
echo content >"$work/source/file"
bundle ".mounts += [
	{\"destination\": \"/rw\", \"type\": \"bind\", \"source\": \"$work/source\", \"options\": [\"bind\"]},
	{\"destination\": \"/ro\", \"type\": \"none\", \"source\": \"$work/source\", \"options\": [\"rbind\", \"ro\", \"nosuid\", \"noexec\", \"nodev\"]},
	{\"destination\": \"/etc/one-file\", \"type\": \"bind\", \"source\": \"$work/source/file\", \"options\": [\"bind\", \"ro\"]}]" -- \
	sh -c 'cat /rw/file /etc/one-file; echo x 2>/dev/null >/ro/y || echo refused; echo written >/rw/new; stat -c %a /rw /etc/one-file'
is 'binds of folders and of a file' "$(holm run "$id" | xargs)" 'content content refused 755 644'
is 'a bind is the source itself' "$(cat "$work/source/new")" written
bundle ".mounts += [{\"destination\": \"/ro\", \"source\": \"$work/source\", \"options\": [\"bind\", \"ro\", \"nosuid\", \"noexec\", \"nodev\"]}]"
mount_fact 'flags of a bind' "$(probe_run mounts)" /ro '.options | test("^ro,nosuid,nodev,noexec")'
bundle '.mounts += [{"destination": "/ro", "type": "bind", "source": "relative", "options": ["bind"]}]' -- cat /ro/here
mkdir "$bundle/relative" && echo found >"$bundle/relative/here"
is 'a relative source is relative to the bundle' "$(holm run "$id")" found
bundle '.mounts += [{"destination": "/x", "type": "bind", "source": "/nowhere/at/all", "options": ["bind"]}]'
refuse_run 'a source that is not there' '/nowhere/at/all'

# Recursive attributes: a tree of two tmpfs, the upper made in the container
tree='.mounts += [{"destination": "/t", "type": "tmpfs", "source": "tmpfs"},
	{"destination": "/t/sub", "type": "tmpfs", "source": "tmpfs"}'
if is_holm || [[ ${HOLM##*/} == runc ]]; then
	mkdir -p "$work/tree"
	unshare -m --propagation private sh -c "
		mount -t tmpfs tmpfs '$work/tree' && mkdir '$work/tree/sub' && mount -t tmpfs tmpfs '$work/tree/sub'
		for flag in rro rnosuid rnodev rnoexec rnoatime ro; do
			jq --arg f \$flag --arg s '$work/tree' --arg root '$rootfs' '.root.path = \$root | .process.args = [\"/bin/probe\", \"mounts\"]
				| .mounts += [{\"destination\": \"/t\", \"source\": \$s, \"options\": [\"rbind\", \$f]}]' <<'X' >'$bundle/config.json'
$default_config
X
			'$HOLM' --root '$state' run --bundle '$bundle' '$id-'\$flag >'$work/tree-'\$flag 2>&1
		done"
	for flag in rro rnosuid rnodev rnoexec rnoatime; do
		for place in /t /t/sub; do
			mount_fact "$flag reaches $place" "$(cat "$work/tree-$flag")" $place ".options | split(\",\") | index(\"${flag#r}\") != null"
		done
	done
	mount_fact 'ro alone is for the top' "$(cat "$work/tree-ro")" /t/sub '.options | test("^rw")'
fi

# Targets
bundle '.mounts += [{"destination": "/deep/er/est", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]}]' -- stat -c %a /deep /deep/er
own_root
is 'missing parents are made' "$(holm run "$id" | xargs)" '755 755'
is 'in the root' "$(stat -c %a "$root/deep/er/est")" 755
bundle '.mounts += [{"destination": "/first", "type": "tmpfs", "source": "one"}, {"destination": "/first", "type": "tmpfs", "source": "two"}]'
mount_fact 'a later mount covers an earlier one' "$(probe_run mounts)" /first .source two
bundle '.mounts += [{"destination": "relative", "type": "tmpfs", "source": "tmpfs"}]'
mount_fact 'a relative target is relative to /' "$(probe_run mounts)" /relative .type tmpfs
bundle '.mounts += [{"destination": "/to/there", "type": "tmpfs", "source": "tmpfs"}]'
own_root
ln -s /elsewhere "$root/to"
mount_fact 'an absolute symlink is resolved in the root' "$(probe_run mounts)" /elsewhere/there .type tmpfs
is 'and leads nowhere else' "$([ -e /elsewhere ] && echo made)" ''
bundle '.mounts += [{"destination": "/up/there", "type": "tmpfs", "source": "tmpfs"}]'
own_root
ln -s ../../../../../tmp/holm-outside "$root/up"
mount_fact 'and so is one with ..' "$(probe_run mounts)" /tmp/holm-outside/there .type tmpfs
bundle ".mounts += [{\"destination\": \"/dangling\", \"source\": \"$work/source/file\", \"options\": [\"bind\"]}]" -- cat /etc/made
own_root
ln -s etc/made "$root/dangling"
is 'a dangling symlink as the target of a file' "$(holm run "$id")" content

# tmpfs
bundle '.mounts += [{"destination": "/like", "type": "tmpfs", "source": "tmpfs"}]' -- stat -c %a /like
own_root
mkdir -m 1777 "$root/like"
is 'a tmpfs without mode= takes that of the folder' "$(holm run "$id")" 1777
bundle '.mounts += [{"destination": "/full", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"]}]' -- \
	sh -c 'cat /full/a /full/b/c; readlink /full/l; echo new >/full/a'
own_root
mkdir -p "$root/full/b" && echo one >"$root/full/a" && echo two >"$root/full/b/c" && ln -s a "$root/full/l"
is 'tmpcopyup' "$(holm run "$id" | xargs)" 'one two a'
is 'tmpcopyup leaves the image alone' "$(cat "$root/full/a")" one

# /proc and /sys
bundle '.mounts += [{"destination": "/proc/sys/kernel", "type": "tmpfs", "source": "tmpfs"}]'
refuse_run 'nothing is mounted below /proc' '/proc'
bundle
own_root
rmdir "$root/proc" && ln -s etc "$root/proc"
refuse_run 'a symlink as /proc' proc

# Symlinks as crun's options have them (runc knows none of these)
if is_holm; then
	ln -s target-of-the-link "$work/link"
	bundle ".mounts += [{\"destination\": \"/etc/copied\", \"type\": \"bind\", \"source\": \"$work/link\", \"options\": [\"bind\", \"copy-symlink\"]}]" -- \
		readlink /etc/copied
	own_root
	is 'copy-symlink makes the link anew' "$(holm run "$id")" target-of-the-link
	bundle ".mounts += [{\"destination\": \"/etc/bound\", \"type\": \"bind\", \"source\": \"$work/link\", \"options\": [\"bind\", \"src-nofollow\"]}]" -- \
		readlink /etc/bound
	own_root
	is 'src-nofollow binds the link itself' "$(holm run "$id")" target-of-the-link
	echo content >"$work/file"
	bundle ".mounts += [{\"destination\": \"/etc/there\", \"type\": \"bind\", \"source\": \"$work/file\", \"options\": [\"bind\", \"dest-nofollow\"]}]" -- \
		sh -c 'cat /etc/there; cat /etc/elsewhere'
	own_root
	ln -s elsewhere "$root/etc/there" && echo other >"$root/etc/elsewhere"
	is 'dest-nofollow covers a link' "$(holm run "$id" | xargs)" 'content other'
fi

# The root
bundle '.root.readonly = true' -- sh -c 'echo x >/y'
refuse_run 'a read-only root' 'Read-only|read-only'
bundle '.root.readonly = true | .mounts += [{"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"}]' -- sh -c 'echo x >/tmp/y && cat /tmp/y'
is 'with a writable tmpfs' "$(holm run "$id")" x
bundle 'del(.root)'
refuse_run 'no root' root
bundle '.root.path = "/nowhere/at/all"'
refuse_run 'a root that is not there' '/nowhere/at/all|no such|not exist'
for kind in shared slave private unbindable; do
	bundle ".linux.rootfsPropagation = \"$kind\""
	case $kind in shared) expected='^shared' ;; slave) expected='^(master.*)?$' ;; private) expected='^$' ;; *) expected='^unbindable$' ;; esac
	mount_fact "rootfsPropagation $kind" "$(probe_run mounts)" / ".propagation | test(\"$expected\")"
done
bundle '.linux.rootfsPropagation = "sideways"'
refuse_run 'an unknown rootfsPropagation' 'sideways'

# --no-pivot
bundle -- ls /
like 'without pivot_root' "$(holm run --no-pivot "$id" 2>&1 | xargs)" 'bin.* dev .*etc'

# cgroup
bundle '.mounts += [{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["nosuid", "noexec", "nodev", "ro"]}] | .linux.namespaces += [{"type": "cgroup"}]' -- \
	sh -c 'ls /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/memory/cgroup.procs 2>/dev/null | head -n 1; mkdir /sys/fs/cgroup/x /sys/fs/cgroup/memory/x 2>/dev/null || echo refused'
like 'a cgroup mount, read-only' "$(holm run "$id" | xargs)" 'cgroup.procs refused'
