#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Namespaces, ids, time, network devices: section F of tests/oci-checklist.md.
# where: host
# timeout: 240
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/oci.sh"
is_holm || skip_all 'about holm alone'

declare -A file=([pid]=pid [network]=net [mount]=mnt [ipc]=ipc [uts]=uts [user]=user [cgroup]=cgroup [time]=time)
# namespaces TYPE[=PATH]...: a filter that asks for exactly these
namespaces() {
	local one list=()
	for one; do
		case $one in
		*=*) list+=("{\"type\": \"${one%%=*}\", \"path\": \"${one#*=}\"}") ;;
		*) list+=("{\"type\": \"$one\"}") ;;
		esac
	done
	local IFS=,
	echo ".linux.namespaces = [${list[*]}]"
}
maps='.linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}] | .linux.gidMappings = .linux.uidMappings'
mapped_root() { # a root that user 0 of these mappings owns
	own_root
	chown -hR 100000:100000 "$root"
}

# Items 110, 111: new, one type at a time, and all at once; what is not asked for is the caller's
for type in pid network ipc uts cgroup time user; do
	set -- mount $type
	extra=.
	[ $type != user ] || extra=$maps
	[ $type = uts ] || extra+=' | del(.hostname)'
	[ $type = network ] || [ $type = user ] || extra+=' | .mounts |= map(if .type == "sysfs" then .type = "none" | .source = "/sys" | .options = ["rbind", "ro"] else . end)'
	bundle "$extra" "$(namespaces "$@")"
	[ $type != user ] || config '.mounts |= map(select(.destination == "/dev"))'
	[ $type = pid ] || config '.mounts |= map(if .type == "proc" then .type = "none" | .source = "/proc" | .options = ["rbind"] else . end)'
	[ $type = ipc ] || config '.mounts |= map(select(.type != "mqueue"))'
	if [ $type = user ]; then
		config '.mounts += [{"destination": "/proc", "source": "/proc", "options": ["rbind"]}]'
	fi
	text=$(probe_run namespaces 2>&1)
	for other in "${!file[@]}"; do
		if [ $other = $type ] || [ $other = mount ]; then
			[ $other = mount ] || fact "$type alone: it is new" "$text" ".namespaces.${file[$other]} != \"$(readlink "/proc/self/ns/${file[$other]}")\""
		else
			fact "$type alone: $other is inherited" "$text" ".namespaces.${file[$other]}" "$(readlink "/proc/self/ns/${file[$other]}")"
		fi
	done
done
bundle "$maps" "$(namespaces "${!file[@]}")" '.linux.timeOffsets = {"monotonic": {"secs": 1000}}' -- sleep 1000
mapped_root
run_detached
first=$id
pid=$(pid_of)
for type in "${!file[@]}"; do
	isnt "all eight: $type is new" "$(readlink "/proc/$pid/ns/${file[$type]}")" "$(readlink "/proc/self/ns/${file[$type]}")"
done

# Items 112, 114, 115: joined by path
declare -A path
for type in "${!file[@]}"; do path[$type]=/proc/$pid/ns/${file[$type]}; done
bundle 'del(.hostname, .linux.maskedPaths, .linux.readonlyPaths)' "$(namespaces pid=${path[pid]} network=${path[network]} ipc=${path[ipc]} uts=${path[uts]} user=${path[user]} \
	cgroup=${path[cgroup]} time=${path[time]} mount)"
mapped_root
text=$(probe_run namespaces ids clocks 2>&1)
for type in pid network ipc uts user cgroup time; do
	fact "seven by path: $type" "$text" ".namespaces.${file[$type]}" "$(readlink "${path[$type]}")"
done
fact 'it is user 0 there' "$text" .ids.uid '[0,0,0]'
fact 'it is not process 1 there' "$text" '.ids.pid > 1'
# What a container mounts lands in the mount namespace that it joins: not one of another container, then
unshare -m --propagation private sleep 1000 &
holder=$!
check 'a mount namespace to join' wait_for 5 eval '[ "$(cat /proc/$holder/comm)" = sleep ]'
bundle "(.linux.namespaces[] | select(.type == \"mount\")).path = \"/proc/$holder/ns/mnt\""
fact 'one by path: mount' "$(probe_run namespaces 2>&1)" .namespaces.mnt "$(readlink /proc/$holder/ns/mnt)"
kill $holder
wait $holder 2>/dev/null
for type in pid network ipc uts cgroup time; do
	bundle 'del(.hostname)' "(.linux.namespaces |= map(select(.type != \"$type\"))) | .linux.namespaces += [{\"type\": \"$type\", \"path\": \"${path[$type]}\"}]"
	fact "one by path: $type" "$(probe_run namespaces 2>&1)" ".namespaces.${file[$type]}" "$(readlink "${path[$type]}")"
done
bundle "$(namespaces mount user=${path[user]} network)" 'del(.hostname)' '.mounts = [{"destination": "/proc", "source": "/proc", "options": ["rbind"]}] | del(.linux.maskedPaths, .linux.readonlyPaths)'
mapped_root
fact 'a joined user namespace' "$(probe_run namespaces 2>&1)" .namespaces.user "$(readlink "${path[user]}")"
# exec into one that joined a pid namespace, and into all eight
bundle 'del(.hostname)' "(.linux.namespaces[] | select(.type == \"pid\")).path = \"${path[pid]}\"" -- sleep 1000
run_detached
fact 'exec into a joined pid namespace' "$(holm exec "$id" probe namespaces)" '.namespaces.pid' "$(readlink "${path[pid]}")"
like 'exec sees its processes' "$(holm exec "$id" ps)" 'sleep 1000'
check 'kill ends its own process alone' holm kill "$id" KILL
check 'so that it stops' wait_status stopped
is 'the owner of the namespace runs on' "$(status_of "$first")" running
text=$(holm exec "$first" probe namespaces ids)
for type in "${!file[@]}"; do
	fact "exec into all eight: $type" "$text" ".namespaces.${file[$type]}" "$(readlink "${path[$type]}")"
done
fact 'exec into all eight: user 0' "$text" .ids.uid '[0,0,0]'
for type in pid network ipc uts cgroup time user mount; do
	wrong=/proc/self/ns/uts
	[ $type != uts ] || wrong=/proc/self/ns/ipc
	refused "$type: a path of another type" "linux.namespaces.*'$wrong'" 'del(.hostname)' "(.linux.namespaces |= map(select(.type != \"$type\"))) | .linux.namespaces += [{\"type\": \"$type\", \"path\": \"$wrong\"}]"
	refused "$type: a path that is not there" "linux.namespaces.*'/nowhere'.*no such file" 'del(.hostname)' "(.linux.namespaces |= map(select(.type != \"$type\"))) | .linux.namespaces += [{\"type\": \"$type\", \"path\": \"/nowhere\"}]"
done
refused 'a path that is no namespace' "linux.namespaces.*'/etc/passwd'" '(.linux.namespaces[] | select(.type == "network")).path = "/etc/passwd"'
refused 'a relative path' 'config.json: linux.namespaces\[1\].path: ' '.linux.namespaces[1].path = "proc/self/ns/net"'
# The host's own, by path: fine to be in, not to be changed.  In a copy of the host's mounts, should it go wrong
own() { # NAME REGEX FILTER...
	local name=$1 regex=$2
	shift 2
	bundle "$@"
	one_line_refusal "$name" "$regex" 1 unshare -m -u -i -n --propagation private "$HOLM" --root "$state" run --bundle "$bundle" "$id"
}
own 'mounts in the mount namespace of the host' "linux.namespaces: '/proc/self/ns/mnt' is the host's own" '(.linux.namespaces[] | select(.type == "mount")).path = "/proc/self/ns/mnt"'
own 'a host name for the host' "linux.namespaces: .*the host's own namespace, which hostname" '(.linux.namespaces[] | select(.type == "uts")).path = "/proc/self/ns/uts"'
own 'a domain name for the host' "the host's own namespace, which domainname" 'del(.hostname) | .domainname = "x"' '(.linux.namespaces[] | select(.type == "uts")).path = "/proc/self/ns/uts"'
own 'a sysctl for the host: network' "the host's own namespace, which linux.sysctl.net.ipv4.ip_forward" '(.linux.namespaces[] | select(.type == "network")).path = "/proc/self/ns/net" | .linux.sysctl = {"net.ipv4.ip_forward": "1"}'
own 'a sysctl for the host: ipc' "the host's own namespace, which linux.sysctl.kernel.msgmax" '(.linux.namespaces[] | select(.type == "ipc")).path = "/proc/self/ns/ipc" | .linux.sysctl = {"kernel.msgmax": "9000"}'
runs "the host's network by path, unchanged" fine '(.linux.namespaces[] | select(.type == "network")).path = "/proc/self/ns/net"' -- echo fine

# Item 113
refused 'a type given twice' 'config.json: linux.namespaces\[5\].type: .*network' '.linux.namespaces += [{"type": "network"}]'
refused 'an unknown type' "config.json: linux.namespaces\[5\].type: .*'net'" '.linux.namespaces += [{"type": "net"}]'
refused 'no type' "config.json: linux.namespaces\[5\].type: " '.linux.namespaces += [{}]'
# Item 116
runs 'the loopback interface is up' 0x9 . -- cat /sys/class/net/lo/flags
runs 'and has its address' fine . -- sh -c 'nc -l -p 7 </dev/null >/dev/null & sleep 0.2; nc 127.0.0.1 7 </dev/null && echo fine'

# Items 117, 121, 122: mappings, many; devices are those of the host; the owner of the root stays
many='.linux.namespaces += [{"type": "user"}] | .linux.uidMappings = [range(40) | {containerID: (. * 10), hostID: (100000 + . * 10), size: 10}] | .linux.gidMappings = .linux.uidMappings'
bundle "$many" '.linux.devices = [{"path": "/dev/tun-like", "type": "c", "major": 1, "minor": 3}]'
sed -i 's/tun-like/null/' "$bundle/config.json"
mapped_root
before=$(find "$root" -printf '%p %U %G\n' | grep -v "$root/\(dev\|proc\|sys\)" | sort | md5sum)
text=$(probe_run idmaps devices ids mounts 2>&1)
fact 'forty mappings' "$text" '.idmaps | [(.uid | length), (.gid | length)]' '[40,40]'
for name in null zero full random urandom tty; do
	fact "the device $name is the host's" "$text" "[.mounts[] | select(.target == \"/dev/$name\")] | length" 1
	fact "the device $name can be used" "$text" ".devices[\"/dev/$name\"] | [.type, .uid]" '["c",65534]'
done
is 'the root keeps its owners' "$(find "$root" -printf '%p %U %G\n' | grep -v "$root/\(dev\|proc\|sys\)" | sort | md5sum)" "$before"
bundle "$many" -- sh -c 'echo x >/dev/null && head -c 1 /dev/zero | wc -c'
mapped_root
is 'and are used' "$(holm run "$id" 2>&1)" 1
bundle "$many" '.linux.devices = [{"path": "/dev/mine", "type": "p"}, {"path": "/dev/kmsg", "type": "c", "major": 1, "minor": 11}]'
mapped_root
fact 'a fifo is made, a device bound' "$(probe_run devices 2>&1)" '[.devices["/dev/mine"].type, .devices["/dev/kmsg"].type]' '["p","c"]'
bundle "$many" '.linux.devices = [{"path": "/dev/nothing-like-it", "type": "c", "major": 1, "minor": 3}]'
mapped_root
still_refused 'a device that the host has not' "linux.devices\[0\]: .*'/dev/nothing-like-it'"
bundle "$many" '.linux.devices = [{"path": "/dev/null", "type": "c", "major": 1, "minor": 5}]'
mapped_root
still_refused 'or has as another' "linux.devices\[0\]: .*'/dev/null'"
bundle "$many" '.process.user = {"uid": 399, "gid": 1, "additionalGids": [5]}'
mapped_root
fact 'another user inside' "$(probe_run ids 2>&1)" '[.ids.uid[0], .ids.gid[0], .ids.groups]' '[399,1,[5]]'
# Items 118, 119, 120, 89
refused 'mappings without a user namespace' 'config.json: linux.uidMappings: ' "$maps"
refused 'gid mappings without a user namespace' 'config.json: linux.gidMappings: ' "$maps" 'del(.linux.uidMappings)'
refused 'a user namespace without uid mappings' 'config.json: linux.uidMappings: is missing' '.linux.namespaces += [{"type": "user"}]'
refused 'a user namespace without gid mappings' 'config.json: linux.gidMappings: is missing' '.linux.namespaces += [{"type": "user"}]' "$maps" 'del(.linux.gidMappings)'
refused 'mappings that overlap' 'config.json: linux.uidMappings\[1\]: ' "$many" '.linux.uidMappings = [.linux.uidMappings[0], .linux.uidMappings[0]]'
refused 'a mapping of nothing' 'config.json: linux.uidMappings\[0\].size: ' "$many" '.linux.uidMappings[0].size = 0'
refused 'a mapping beyond the last id' 'config.json: linux.uidMappings\[0\].size: ' "$many" '.linux.uidMappings[0].size = 4294967295'
refused 'too many mappings' 'config.json: linux.uidMappings: ' "$many" '.linux.uidMappings = [range(341) | {containerID: ., hostID: ., size: 1}]'
bundle '.linux.namespaces += [{"type": "user", "path": "'"${path[user]}"'"}]' "$maps" -- echo fine
mapped_root
like 'a joined user namespace with the mappings it has' "$(holm run "$id" 2>&1)" 'fine$'
bundle '.linux.namespaces += [{"type": "user", "path": "'"${path[user]}"'"}]' "$maps" '.linux.uidMappings[0].hostID = 7'
mapped_root
still_refused 'with others' 'linux.uidMappings.*user namespace'

# Item 123: time
here=$("$probe" clocks)
ahead() { # CLOCK SECONDS
	echo ".clocks.$1 - $(jq ".clocks.$1" <<<"$here") - $2 | fabs < 60"
}
bundle '.linux.namespaces += [{"type": "time"}] | .linux.timeOffsets = {"monotonic": {"secs": 172800, "nanosecs": 5}, "boottime": {"secs": 86400}}'
text=$(probe_run clocks namespaces)
fact 'the monotonic clock' "$text" "$(ahead monotonic 172800)"
fact 'the boot clock' "$text" "$(ahead boottime 86400)"
bundle '.linux.namespaces += [{"type": "time"}, {"type": "user"}] | .linux.timeOffsets = {"boottime": {"secs": -100}}' "$maps"
mapped_root
text=$(probe_run clocks namespaces 2>&1)
fact 'backwards, in a user namespace' "$text" "$(ahead boottime -100)"
fact 'the other one as it was' "$text" "$(ahead monotonic 0)"
bundle '.linux.namespaces += [{"type": "time"}] | .linux.timeOffsets = {"monotonic": {"secs": 5000}}' -- sleep 1000
run_detached
fact 'exec has the clocks of the container' "$(holm exec "$id" probe clocks)" "$(ahead monotonic 5000)"
holm delete --force "$id"
refused 'offsets without a time namespace' 'config.json: linux.timeOffsets: ' '.linux.timeOffsets = {"monotonic": {"secs": 1}}'
refused 'offsets with a joined one' 'config.json: linux.timeOffsets: ' ".linux.namespaces += [{\"type\": \"time\", \"path\": \"${path[time]}\"}] | .linux.timeOffsets = {\"monotonic\": {\"secs\": 1}}"
refused 'another clock' 'config.json: linux.timeOffsets.*realtime' '.linux.namespaces += [{"type": "time"}] | .linux.timeOffsets = {"realtime": {"secs": 1}}'
refused 'too many nanoseconds' 'config.json: linux.timeOffsets.monotonic.nanosecs: ' '.linux.namespaces += [{"type": "time"}] | .linux.timeOffsets = {"monotonic": {"nanosecs": 1000000000}}'
refused 'before the boot' 'linux.timeOffsets: ' '.linux.namespaces += [{"type": "time"}] | .linux.timeOffsets = {"boottime": {"secs": -100000000000}}'
holm delete --force "$first"

# Item 124
bundle '.hostname = "isle.example" | .domainname = "reef"'
fact 'host and domain name' "$(probe_run names)" '[.names.hostname, .names.domainname]' '["isle.example","reef"]'
refused 'a host name without a UTS namespace' 'config.json: hostname: ' '.linux.namespaces |= map(select(.type != "uts"))'
refused 'a domain name without one' 'config.json: domainname: ' 'del(.hostname) | .domainname = "x" | .linux.namespaces |= map(select(.type != "uts"))'
refused 'a host name too long' 'config.json: hostname: ' '.hostname = ("0123456789" * 7)'
is "the host's name is as before" "$(hostname)" "$(cat /proc/sys/kernel/hostname)"
# Item 125
sees 'a cgroup namespace: its own cgroup is the root' cgroups '[.cgroups[] | split(":")[2] | select(. != "/")]' '[]' '.linux.namespaces += [{"type": "cgroup"}]'

# Items 126-130: network devices, from a network namespace of the test's own
cat >"$work/with-devices" <<'X'
#!/bin/sh
# COMMAND...: with dum0 (10.1.2.3/24, fd00:1::5, mtu 1400), whose peer is dum1, and dum2
ip link add dum0 type veth peer name dum1 && ip link add dum2 type veth peer name dum3 &&
	ip link set dum0 mtu 1400 address 02:00:00:00:00:11 && ip addr add 10.1.2.3/24 dev dum0 && ip addr add fd00:1::5/64 dev dum0 nodad &&
	ip link set dum0 up && ip link set dum1 up && ip route add 10.77.0.0/16 via 10.1.2.1 || exit 125
"$@"
status=$?
ip -o link show | sed 's/^[0-9]*: \([^@:]*\).*/left \1/' | xargs >&2
exit $status
X
chmod +x "$work/with-devices"
in_net() {
	unshare -n "$work/with-devices" "$HOLM" --root "$state" "$@"
}
if command -v ip >/dev/null && [ -x "${HOLM%/*}/holm-net" ]; then
	look='for d in /sys/class/net/*; do d=${d##*/}; echo $d $(cat /sys/class/net/$d/mtu /sys/class/net/$d/address /sys/class/net/$d/flags); done | grep -v ^lo; ip -o addr show | grep -v " lo " | sed "s/.*inet6* \([^ ]*\).*/\1/" | grep -v fe80 | xargs; ip route | grep -c 10.77'
	bundle '.linux.netDevices = {"dum0": {"name": "eth0"}, "dum2": {}}' -- sh -c "$look"
	text=$(in_net run --bundle "$bundle" "$id" 2>&1)
	like 'a device moves, renamed; mtu, address and link state stay' "$text" 'eth0 1400 02:00:00:00:00:11 0x1[0-9]*3'
	like 'another keeps its name' "$text" 'dum2 1500'
	like 'permanent addresses stay' "$text" '10.1.2.3/24 fd00:1::5/64'
	like 'routes do not' "$text" $'\n0\n'
	unlike 'they do not come back' "$text" 'left.*(dum0|dum2|eth0)'
	bundle '.linux.netDevices = {"dum0": {"name": "eth%d"}}' -- sh -c 'ls /sys/class/net | xargs'
	like 'a name with %d: the kernel numbers' "$(in_net run --bundle "$bundle" "$id" 2>&1)" 'eth0 lo'
	bundle '.linux.netDevices = {"none0": {}}'
	one_line_refusal 'one that is not there' "linux.netDevices.*none0|'none0'" 1 unshare -n "$HOLM" --root "$state" run --bundle "$bundle" "$id"
	is 'leaves nothing' "$(left_behind | grep -- "$id")" ''
	bundle '.linux.netDevices = {"dum0": {"name": "lo"}}'
	like 'a name that is taken' "$(in_net run --bundle "$bundle" "$id" 2>&1)" "netDevices.*(lo|dum0).*left lo.*dum0|(lo|dum0)"
else
	skip 'network devices' 'iproute2 or holm-net is missing'
fi
for name in '' . .. a/b 'a b' a:b 0123456789abcdef; do
	refused "host name '$name'" 'config.json: linux.netDevices' ".linux.netDevices = {\"$name\": {}}"
done
for name in . a/b 0123456789abcdef 'eth%s' '%d%d'; do
	refused "name '$name'" 'config.json: linux.netDevices.*name' ".linux.netDevices = {\"dum0\": {\"name\": \"$name\"}}"
done
refused 'the same name twice' 'config.json: linux.netDevices' '.linux.netDevices = {"dum0": {"name": "x"}, "dum1": {"name": "x"}}'
refused 'without a network namespace' 'config.json: linux.netDevices' '.linux.netDevices = {"dum0": {}} | .linux.namespaces |= map(select(.type != "network"))'
