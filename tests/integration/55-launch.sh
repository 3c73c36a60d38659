#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# holm launch: safe defaults, every option, names, users of hostile roots, what is refused and how, what is left when it is killed.
# where: host bare systemd
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/launch.sh"

# --- the defaults ------------------------------------------------------------------------------------------------------------

config=$(config_of --network none true)
fact 'every namespace is new' "$config" '[.linux.namespaces[] | select(.path == null).type] | sort | join(" ")' \
	'cgroup ipc mount network pid user uts'
fact 'devices are denied' "$config" '.linux.resources.devices' '[{"allow":false,"access":"rwm"}]'
fact 'no new privileges' "$config" .process.noNewPrivileges
fact 'processes are limited' "$config" .linux.resources.pids.limit 4096
fact 'ids of its own' "$config" '.linux.uidMappings == .linux.gidMappings and .linux.uidMappings[0].size == 65536 and .linux.uidMappings[0].hostID >= 1879048192'
fact 'few capabilities' "$config" '.process.capabilities.bounding | length' 11
fact 'none inheritable or ambient' "$config" '.process.capabilities | (.inheritable // []) + (.ambient // [])' '[]'
docker=tests/specs/docker-01.json podman=tests/specs/podman-01.json
is 'no capability that Docker does not give' \
	"$(jq -c --slurpfile d "$docker" '.process.capabilities.bounding - $d[0].process.capabilities.bounding' <<<"$config")" '[]'
is 'all that Docker masks is masked' "$(jq -c --slurpfile d "$docker" '$d[0].linux.maskedPaths - .linux.maskedPaths' <<<"$config")" '[]'
is 'all that Podman masks, too' "$(jq -c --slurpfile d "$podman" '$d[0].linux.maskedPaths - .linux.maskedPaths' <<<"$config")" '[]'
is 'what Docker has read-only is' "$(jq -c --slurpfile d "$docker" '$d[0].linux.readonlyPaths - .linux.readonlyPaths' <<<"$config")" '[]'
fact 'seccomp denies by default' "$config" .linux.seccomp.defaultAction SCMP_ACT_ERRNO
allowed='[.linux.seccomp.syscalls[] | select(.action == "SCMP_ACT_ALLOW").names[]]'
is 'no system call that Docker does not allow' \
	"$(jq -c --slurpfile d "$docker" "$allowed - (\$d[0] | $allowed)" <<<"$config")" '[]'
is 'no architecture either' \
	"$(jq -c --slurpfile d "$docker" '.linux.seccomp.architectures - $d[0].linux.seccomp.architectures' <<<"$config")" '[]'
is 'where Docker looks at arguments, so does holm' "$(jq -c --slurpfile d "$docker" '
	[$d[0].linux.seccomp.syscalls[] | select(.args != null).names[]] | unique as $looked
	| [$looked[] as $n | select(any($c[0].linux.seccomp.syscalls[]; .action == "SCMP_ACT_ALLOW" and .args == null and (.names | index($n)))) | $n]' \
	--slurpfile c <(echo "$config") <<<null)" '[]'
fact 'fewer than Docker' "$config" "$allowed | unique | length < 340"
is 'a dry run leaves nothing' "$(find "$data" -mindepth 2)" ''
like 'and explains' "$(holm launch --dry-run --network none --rootfs "$rootfs" true)" 'init +process.args +execve'

tar -C "$rootfs" -c . | holm image import -q - dashes:1 || not_ok 'an image'
is 'dashes after the image only set its command off' \
	"$(holm launch --dry-run --network none dashes:1 -- id -- x | sed '/^}/q' | jq -c .process.args)" '["id","--","x"]'
holm image remove dashes:1 >/dev/null

# --- the same from inside ----------------------------------------------------------------------------------------------------

name=$(launch inside --hostname isle -- sh -c 'hostname; cat /proc/self/uid_map; grep -E "^(Seccomp|NoNewPrivs|CapBnd):" /proc/self/status
	stat -c %u:%g /bin/busybox; touch /written && stat -c %u /written; echo end; sleep 1000')
is 'launch prints the name' "$name" "$prefix-inside"
wait_for 10 has_output inside end || not_ok 'it printed' "$(output_of inside)"
said=$(output_of inside)
like 'its host name' "$said" '^isle'
like 'its ids' "$said" $'\n +0 +[0-9]{10} +65536\n'
like 'its filter' "$said" $'Seccomp:\t2'
like 'no new privileges inside' "$said" $'NoNewPrivs:\t1'
like 'its capabilities' "$said" $'CapBnd:\t00000000800405fb'
like "the root's files are its root's" "$said" $'\n0:0\n0\n'
[ ! -e "$rootfs/written" ] && ok 'the folder is not written to' || not_ok 'the folder is not written to'
check 'exec' holm exec "$name" true
is 'shell' "$(holm shell "$name" 'echo $((6 * 7))' </dev/null)" 42
refuses 'mount is denied' 'ermi' holm exec "$name" mount -t tmpfs none /tmp
refuses 'so is a namespace' 'ermi' holm exec "$name" unshare -U true
check 'remove --force' holm remove --force "$name"

# --- options -----------------------------------------------------------------------------------------------------------------

# option NAME JQ EXPECTED OPTION...: what it writes, which is the same on every host
option() {
	[ "$HOLM_WHERE" = host ] || return
	fact "$1" "$(config_of --network none "${@:4}" -- true)" "$2" "$3"
}
export FROM_HERE=here
printf '# a comment\nONE=1\n\nFROM_HERE\n' >"$work/env"
option --memory .linux.resources.memory.limit 67108864 -m 64M
option --swap .linux.resources.memory.swap 100663296 -m 64M --swap 32M
option --cpus '.linux.resources.cpu | [.quota, .period]' '[50000,100000]' -c 0.5
option '--cpus of more' .linux.resources.cpu.quota 250000 --cpus 2.5
option -it '.process.terminal, .holm.input' $'true\ntrue' -it
option --cpu-weight .linux.resources.cpu.shares 1024 --cpu-weight 100
option --cpuset .linux.resources.cpu.cpus 0 --cpuset 0
option --pids .linux.resources.pids.limit 10 --pids 10
option --io-weight .linux.resources.blockIO.weight 500 --io-weight 500
option --io-read-bps '.linux.resources.blockIO.throttleReadBpsDevice[0] | [.major, .minor, .rate]' '[8,0,1048576]' --io-read-bps 8:0:1M
option --io-write-iops '.linux.resources.blockIO.throttleWriteIOPSDevice[0].rate' 20 --io-write-iops 8:0:20
option --shm-size '.mounts[] | select(.destination == "/dev/shm").options[-1]' size=1048576 --shm-size 1M
option --env '.process.env | map(select(. == "A=b" or . == "FROM_HERE=here")) | length' 2 -e A=b -e FROM_HERE
option --env-file '.process.env | map(select(. == "ONE=1" or . == "FROM_HERE=here")) | length' 2 --env-file "$work/env"
option 'the last variable wins' '.process.env | map(select(startswith("ONE="))) | join(" ")' ONE=2 --env-file "$work/env" -e ONE=2
option --workdir .process.cwd /tmp -w /tmp
option --hostname .hostname other --hostname other
option --user '.process.user | [.uid, .gid]' '[1000,1000]' -u user
option '--user of a number' '.process.user | [.uid, .gid]' '[7,0]' -u 7
option '--user with a group' '.process.user | [.uid, .gid]' '[1000,0]' -u user:root
option 'its HOME' '.process.env | map(select(startswith("HOME="))) | join(" ")' HOME=/home -u user
option --tmpfs '.mounts[-1] | [.destination, .type, .options[-1]] | join(" ")' '/run tmpfs size=1m' --tmpfs /run:size=1m
option --volume '.mounts[-1] | [.destination, .source] | join(" ")' "/mnt $work" -v "$work:/mnt:ro"
option --device '.linux.devices[0].path' /dev/zero --device /dev/zero
option '--device under another name' '.mounts[-1] | [.source, .destination] | join(" ")' '/dev/zero /dev/zero2' --device /dev/zero:/dev/zero2:r
option 'and without a user namespace' '.linux.devices[0].path' /dev/zero2 --userns host --device /dev/zero:/dev/zero2:r
option 'its rule' '.linux.resources.devices[-1] | [.allow, .access] | tostring' '[true,"r"]' --device /dev/zero:/dev/zero2:r
option --cap-add '.process.capabilities.bounding | index("CAP_NET_ADMIN") != null' true --cap-add net_admin
option --cap-drop '.process.capabilities | .bounding // [] | length' 0 --cap-drop ALL
option '--cap-drop all --cap-add one' '.process.capabilities.bounding' '["CAP_KILL"]' --cap-drop ALL --cap-add KILL
option '--caps none' '.process.capabilities | .bounding // [] | length' 0 --caps none
option '--caps all' '.process.capabilities.bounding | length > 35' true --caps all
option 'a capability for an ordinary user' .process.capabilities.ambient '["CAP_NET_RAW"]' -u user --cap-add NET_RAW
option --read-only .root.readonly true --read-only
option '--userns host' '[.linux.namespaces[].type] | index("user")' null --userns host
option '--seccomp unconfined' .linux.seccomp null --seccomp unconfined
option --apparmor .process.apparmorProfile web --apparmor web
option 'no AppArmor profile' .process.apparmorProfile null --apparmor unconfined
option --sysctl '.linux.sysctl["net.ipv4.ip_forward"]' 1 --sysctl net.ipv4.ip_forward=1
option --ulimit '.process.rlimits[0] | [.type, .soft, .hard] | join(" ")' 'RLIMIT_NOFILE 10 20' --ulimit nofile=10:20
option --new-privileges '.process.noNewPrivileges // false' false --new-privileges
option --init .holm.init true --init
option --restart '.holm.restart | [.policy, .max] | join(" ")' 'on-failure 5' --restart on-failure:5
option --stop-signal .holm.stop.signal SIGINT --stop-signal int
option '--stop-signal of real time' .holm.stop.signal 37 --stop-signal RTMIN+3
option --stop-timeout .holm.stop.timeout 5s --stop-timeout 5s
option --after .holm.after '["a","b"]' --after a --after b
option --health '.holm.health | [.command[2], .interval, .retries, .action] | join(" ")' 'true 5s 2 restart' \
	--health-cmd true --health-interval 5s --health-retries 2 --health-action restart
option --log-size '.holm.log | [.size, .files] | join(" ")' '1048576 3' --log-size 1M --log-files 3
option --tty .process.terminal true -t
option --interactive .holm.input true -i
fact '--publish, --address, --rate' "$(config_of -p 8080:80 -p 127.0.0.1:53:53/udp --address 10.66.0.9 --rate 10M,5M true)" '.holm.networks' \
	'[{"network":"default","address":"10.66.0.9","publish":["8080:80","127.0.0.1:53:53/udp"],"rate":{"egress":"10M","ingress":"5M"}}]'
fact 'two networks' "$(config_of --network a,interface=eth7,address=10.1.1.1 --network b true)" '.holm.networks | tostring' \
	'[{"network":"a","interface":"eth7","address":"10.1.1.1"},{"network":"b"}]'
fact "the host's network" "$(config_of --network host true)" '[([.linux.namespaces[].type] | index("network")), .holm.networks] | tostring' '[null,null]'
fact "systemd's stop signal" "$(config_of --network none /sbin/init)" '[.holm.stop.signal, (.mounts | map(.destination) | index("/run") != null)] | tostring' '["37",true]'
fact 'a command with options after --' "$(config_of --network none -- sh -c 'echo -n')" '.process.args | tostring' '["sh","-c","echo -n"]'

mkdir -p "$data/profiles"
printf '# small\nmemory 32M\nread-only\ncap-drop = ALL\n\nenv A=1\n' >"$data/profiles/small"
option --profile '[.linux.resources.memory.limit, .root.readonly, (.process.capabilities.bounding // [] | length)] | tostring' '[33554432,true,0]' --profile small
option 'over a profile' '.linux.resources.memory.limit' 67108864 --profile small -m 64M

# --- refusals: what is wrong, and what to do -----------------------------------------------------------------------------------

# refused NAME REGEX OPTION...
refused() {
	[ "$HOLM_WHERE" = host ] || return
	refuses "$1" "$2" launch refused "${@:3}" -- true
}
refused 'an unknown option' 'not defined: -memroy \(did you mean --memory\?\)' --memroy 1G
refused 'a size' "invalid value '64Q' for --memory" -m 64Q
refused 'too little memory' 'a unit may be missing' -m 64
refused 'processors' "--cpus '1,5': it takes a number of processors" --cpus 1,5
refused 'no processor' "at least 0.01" --cpus 0
refused 'swap alone' 'needs --memory' --swap 1G
refused 'a weight' '1 to 10000' --cpu-weight 0
refused 'a processor that is not there' 'this host has the processors 0-' --cpuset 0,9999
refused 'a signal' "no such signal; did you mean 'SIGTERM'" --stop-signal TREM
refuses 'a port' "--publish: .*80x" holm launch --rootfs "$rootfs" -p 80x:80 true
refused 'a port without a network' 'need a network' -p 80:80
refuses 'an address' "'10.66': is not" holm launch --rootfs "$rootfs" --address 10.66 true
refuses 'a rate' "--rate: .*fast" holm launch --rootfs "$rootfs" --rate fast true
refused 'a user' "no user 'usr' in '/etc/passwd' of the root; did you mean 'user'\?" -u usr
refused 'a group' "no group 'rot' in '/etc/group' of the root; did you mean 'root'\?" -u user:rot
refused 'a strange user' 'USER or USER:GROUP' -u 1:
refused 'a large user' "no user '4294967296'" -u 4294967296
refused 'a capability' "no such capability; did you mean 'CAP_NET_ADMIN'\?" --cap-add NET_ADMN
refused 'a set' "did you mean 'service'\?" --caps servise
refused 'a profile' "--profile 'smal': there is none; did you mean 'small'\?" --profile smal
refused 'a restart policy' 'it takes no, on-failure' --restart often
refused 'a stop signal' "--stop-signal 'SIGFOO'" --stop-signal SIGFOO
refused 'health without a check' 'needs --health-cmd' --health-retries 3
refused 'a device' "--device '/dev/nope'" --device /dev/nope
refused 'no device' 'is not a device' --device /etc/passwd
refused 'a label' "--label '=x'" --label =x
refused 'a sysctl' 'NAME=VALUE' --sysctl x
refused 'a limit' "did you mean 'NOFILE'\?" --ulimit nofiles=1
refused "Docker's form of a profile" 'a profile for Docker' --seccomp <(echo '{"defaultAction": "SCMP_ACT_ERRNO", "archMap": []}')
refused 'a working folder' 'must be absolute' -w tmp
refused 'one process, where a start needs two' '--userns host' --pids 1
refused 'to come after itself' 'that is itself' --after "$prefix-refused"
refused 'a variable' 'KEY=VALUE' -e =x
refused '--rm with --restart' "can't be restarted" --rm --restart always
refuses 'a name' "invalid instance name '-x'" holm launch --name=-x --rootfs "$rootfs" true
refuses 'a folder that is not there' "open '/nowhere'" holm launch --rootfs /nowhere true
refuses 'no image' "'holm image list' shows" holm launch
refuses 'an image that is not there' "there is no image 'nginx'; 'holm image pull' or 'holm image import' brings one" holm launch nginx
refuses 'no command' 'no command: the folder of --rootfs has none' holm launch --network none --rootfs "$rootfs"
refuses 'a program that is not there' "exec 'nonesuch'" launch refused nonesuch
is 'a start that fails leaves no instance' "$(holm list -q)$(ls "$data/instances" "$data/tmp" "$data/ids" | grep "$prefix")" ''

# --- names ---------------------------------------------------------------------------------------------------------------------

made_up=$(holm launch --network none --rootfs "$rootfs" sleep 1000)
like 'a name is made up' "$made_up" '^[a-z]+-[a-z]+$'
check 'it goes' holm remove --force "$made_up"
launch twice sleep 1000 >/dev/null
refuses 'a name twice' "there is an instance '$prefix-twice' already" launch twice true
refuses 'a similar name' "did you mean '$prefix-twice'" holm inspect "$prefix-twise"
check 'the first is unharmed' holm exec "$prefix-twice" true
holm remove -f "$prefix-twice"

# --- a device under another name ---------------------------------------------------------------------------------------------------

holm launch --name "$prefix-device" --network none --rootfs "$rootfs" --device /dev/full:/dev/brim:rw -- \
	sh -c 'echo x >/dev/brim; echo $?; chmod 600 /dev/brim; ls -l /dev/brim | cut -c1-10' >/dev/null
holm wait "$prefix-device" >/dev/null
is 'it is the device, and not its mode' "$(holm logs --stdout "$prefix-device")" "1"$'\n'"$(stat -c %A /dev/full)"
holm remove "$prefix-device"

# --- hostile roots: names of users ------------------------------------------------------------------------------------------------

# hostile NAME REGEX COMMAND: a root whose /etc/passwd is made by COMMAND in its /etc
hostile() {
	local root=$work/hostile.$RANDOM
	mkdir -p "$root/etc" "$root/bin" "$root/proc" "$root/dev" "$root/sys"
	cp "$rootfs/bin/busybox" "$root/bin/sh"
	(cd "$root/etc" && eval "$3")
	refuses "$1" "$2" timeout 20 "$HOLM" --root "$state" --data "$data" launch --name "$prefix-hostile" --network none --rootfs "$root" -u victim sh -c true
}
echo 'victim:x:4242:4242::/:/bin/sh' >"$work/outside"
hostile 'a link out of the root is looked up in it' "no user 'victim'" "ln -s '$work/outside' passwd"
hostile 'a relative link out' "no user 'victim'" "ln -s ../../../../../../../..$work/outside passwd"
hostile 'a fifo' "not a regular file" 'mkfifo passwd'
hostile 'a folder' "not a regular file" 'mkdir passwd'
hostile 'a device' "not a regular file|no user" 'mknod passwd c 1 5'
hostile 'a link to itself' "passwd" 'ln -s passwd passwd'
hostile 'a huge one' 'larger than' 'truncate -s 100M passwd'
hostile 'rubbish' "no user 'victim'" 'head -c 100000 /dev/urandom >passwd'
hostile 'ids out of range' "no user 'victim'" 'printf "victim:x:4294967296:0::/:/bin/sh\nvictim:x:-1:0::/:\nvictim:x: 5:0::/:\n" >passwd'

# --- killed at its work -------------------------------------------------------------------------------------------------------------

for delay in 0.001 0.003 0.005 0.008 0.012 0.02 0.03; do
	(timeout --signal KILL $delay "$HOLM" --root "$state" --data "$data" launch --name "$prefix-killed" --network none --rootfs "$rootfs" sleep 1000; true) >/dev/null 2>&1
	holm remove --force "$prefix-killed" >/dev/null 2>&1
done
# Its child may have been at work on the container still.
gone() {
	holm remove --force "$prefix-killed" >/dev/null 2>&1
	holm gc >"$work/gc" 2>&1 && [ -z "$(holm list -q)$(find "$data/instances" "$data/tmp" -mindepth 1 -maxdepth 1)" ]
}
if wait_for 10 gone; then ok 'what a killed launch left is collected'; else not_ok 'what a killed launch left is collected' "$(cat "$work/gc"; holm list; find "$data" -maxdepth 2)"; fi
touch -h -d '10 minutes ago' "$data"/ids/* 2>/dev/null

# --- an ordinary user -----------------------------------------------------------------------------------------------------------------

user=12345 own=$work/user/bin/holm
mkdir -p "$work/user/bin"
cp "$BUILD"/holm "$BUILD"/holm-monitor "$BUILD"/holm-unpack "$work/user/bin/"
cp -a "$rootfs" "$work/user/rootfs"
chown -R $user:$user "$work/user"
as_user() {
	env -i PATH="$PATH" XDG_RUNTIME_DIR="$work/user" HOME="$work/user" setpriv --reuid=$user --regid=$user --clear-groups timeout $((20 * HOLM_TIMESCALE)) "$@"
}
if as_user "$own" version >/dev/null; then
	is 'an ordinary user launches' "$(as_user "$own" launch --name "$prefix-own" --rootfs "$work/user/rootfs" -- sh -c 'id -u; ls /sys/class/net; sleep 1000')" "$prefix-own"
	user_has() { [ "$(as_user "$own" logs "$prefix-own" | tr '\n' ' ')" = '0 lo ' ]; }
	check 'as root inside, with loopback only' wait_for 10 user_has
	like 'it is listed' "$(as_user "$own" list)" "$prefix-own .*running"
	check 'entered' as_user "$own" exec "$prefix-own" touch /made
	check 'restarted' as_user "$own" restart "$prefix-own"
	check 'and keeps what it wrote' as_user "$own" exec "$prefix-own" test -e /made
	check 'stopped and started with the others' as_user sh -c '"$1" stop --all && "$1" start --all' sh "$own"
	check 'removed' as_user "$own" remove --force --all
	rm "$work/user/bin/holm-monitor"
	refuses 'without who would stay beside it' "execute '$work/user/bin/holm-monitor', which stays beside an instance: no such file" \
		as_user "$own" launch --name "$prefix-alone" --rootfs "$work/user/rootfs" sleep 1000
	is 'nothing is left then' "$(as_user "$own" list --quiet)" ''
	refuses 'a network needs root' "joining networks needs root: use --network none or host" as_user "$own" launch --network default --rootfs "$work/user/rootfs" true
	refuses 'and so does a port' "joining one needs root; with --network host" as_user "$own" launch -p 80:80 --rootfs "$work/user/rootfs" true
	refuses 'a size needs root' "need root on the host" as_user "$own" launch --size 10M --rootfs "$work/user/rootfs" true
	is 'nothing of them is left' "$(ls -A "$work/user/.local/share/holm/instances" "$work/user/.local/share/holm/tmp" "$work/user/holm" | grep -v -e : -e '^$' -e seccomp)" ''
else
	skip 'an ordinary user' 'it can not execute what this test makes'
fi

# --- a terminal -----------------------------------------------------------------------------------------------------------------------

is 'standard input' "$(echo hello | timeout 20 "$HOLM" --root "$state" --data "$data" launch -i --name "$prefix-in" --network none --rootfs "$rootfs" -- sh -c 'read x; echo "got $x"; sleep 1')" 'got hello'
is 'its exit status' "$(timeout 20 "$HOLM" --root "$state" --data "$data" launch -i --name "$prefix-status" --network none --rootfs "$rootfs" -- sh -c 'sleep 1; exit 5' </dev/null >/dev/null 2>&1; echo $?)" 5
if command -v python3 >/dev/null; then
	said=$(timeout 60 /usr/bin/python3 tests/integration/page.py person "$HOLM" --root "$state" --data "$data" launch -i -t --name "$prefix-tty" --rm \
		--network none --rootfs "$rootfs" -- sh -c 'echo "tty $(tty)"; read -r line; echo "heard $line"; exit 6' </dev/null; echo "status $?")
	like 'a terminal' "$said" 'tty /dev/(console|pts/0)'
	like 'what is typed there' "$said" 'heard exit'
	like 'and its exit status' "$said" 'status 6'
else
	skip 'a terminal' 'no python3'
fi
remove_all
