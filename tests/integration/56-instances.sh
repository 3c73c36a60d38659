#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The verbs on instances: list, start, stop, restart, remove, rename, wait, inspect, edit, update, apply, up, down, diff, gc; patterns,
# labels and order.  A service with an address, a port and limits, reached by curl.
# where: host bare systemd
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/launch.sh"
. "$(dirname "$0")/net.sh"

names() {
	holm list -q "$@" | sed "s/^$prefix-//" | tr '\n' ' '
}

# --- life --------------------------------------------------------------------------------------------------------------------

is 'a list of nothing' "$(holm list -q)" ''
launch web1 -l tier=web -l prod -- sh -c 'trap "echo asked; exit 3" TERM; while :; do sleep 0.05; done' >/dev/null
launch web2 -l tier=web sleep 1000 >/dev/null
launch db -l tier=data -- sh -c 'echo begun; sleep 1000' >/dev/null
is 'list' "$(names)" 'db web1 web2 '
is 'by pattern' "$(names "$prefix-web*")" 'web1 web2 '
is 'by label' "$(names -l tier=web)" 'web1 web2 '
is 'by two labels' "$(names -l tier=web -l prod)" 'web1 '
is 'without a label' "$(names -l 'tier!=web')" 'db '
is 'by status' "$(names --filter status=running)" 'db web1 web2 '
refuses 'an unknown filter' "it takes status=" holm list --filter colour=red
refuses 'an unknown name' "nothing is called" holm list nothing
like "runc's table" "$(holm list)" "^ID +PID +STATUS +BUNDLE +CREATED +OWNER"$'\n'"$prefix-db +$(pid_of "$prefix-db") +running +$data/instances/$prefix-db +20[^ ]+Z +root"
fact 'as JSON' "$(holm list -f json "$prefix-web1")" '.[0] | [.id, .status, .labels.tier, .up] | tostring' "[\"$prefix-web1\",\"running\",\"web\",true]"
like '--wide' "$(holm list --wide)" "$prefix-web1 +running .* tier=web,prod"
fact 'inspect' "$(holm inspect "$prefix-web*")" 'map(.name) | tostring' "[\"$prefix-web1\",\"$prefix-web2\"]"
check 'stop' holm stop "$prefix-web1"
is 'it was asked' "$(output_of web1 | grep -c asked)" 1
fact 'its end' "$(holm inspect "$prefix-web1")" '.[0] | [.status, .end.exitStatus, .end.asked, .up] | tostring' '["stopped",3,true,false]'
is 'wait prints it' "$(holm wait "$prefix-web1")" 3
is 'it is still listed' "$(names)" 'db web1 web2 '
is 'unless only what runs is asked for' "$(names --running)" 'db web2 '
refuses 'exec in what does not run' "is not running: 'holm start $prefix-web1'" holm exec "$prefix-web1" true
check 'stop again' holm stop "$prefix-web1"
began=$EPOCHREALTIME
check 'what no signal can ask is killed' holm stop "$prefix-web2"
fact 'at once' "$(jq -n "${EPOCHREALTIME/,/.} - ${began/,/.}")" ". < 5 * $HOLM_TIMESCALE"
refuses 'start of what runs' 'is running already' holm start "$prefix-db"
refuses 'remove of what runs' 'stop it first, or --force' holm remove "$prefix-db"
check 'start' holm start "$prefix-web1"
is 'it runs' "$(instance_status web1)" running
refuses 'rename of what runs' 'stop it first' holm rename "$prefix-db" "$prefix-data"
check 'a paused one' holm pause "$prefix-db"
is 'is seen' "$(instance_status db)" paused
refuses 'and not started' 'holm resume' holm start "$prefix-db"
check 'resume by label' holm resume --label tier=data
check 'pause by pattern' holm pause "$prefix-d*"
check 'but stopped' holm stop "$prefix-db"
check 'rename' holm rename "$prefix-db" "$prefix-data"
fact 'with its host name and ids' "$(holm inspect "$prefix-data")" '.[0].config | [.hostname, (.process.env | index("HOSTNAME='"$prefix-data"'") != null)] | tostring' "[\"$prefix-data\",true]"
is 'its range goes with it' "$(find "$data/ids" -lname "$prefix-data" | wc -l)" 1
refuses 'rename to what is there' "there is an instance '$prefix-web1' already" holm rename "$prefix-data" "$prefix-web1"
check 'start under its new name' holm start "$prefix-data"
is 'the host name inside' "$(holm exec "$prefix-data" hostname)" "$prefix-data"
refuses 'a pattern without a match' "no instance matches 'x\*'" holm stop 'x*'
refuses 'no instance at all' 'give names, patterns' holm stop
# --- patterns and labels where more than one makes sense, and where one does -----------------------------------------------------

launch api1 -l part=api -- sh -c 'trap "echo hup" HUP; echo first; while [ ! -e /go ]; do sleep 0.05; done; echo third >&2; while :; do sleep 0.05; done' >/dev/null
wait_for 10 has_output api1 first
launch api2 -l part=api -- sh -c 'trap "exit 4" HUP; echo second; while :; do sleep 0.05; done' >/dev/null
wait_for 10 has_output api2 second && holm exec "$prefix-api1" touch /go && wait_for 10 has_output api1 third
is 'logs of many: by time, with names' "$(holm logs "$prefix-api*" 2>&1)" \
	"$prefix-api1 | first"$'\n'"$prefix-api2 | second"$'\n'"$prefix-api1 | third"
is 'logs by label' "$(holm logs --label part=api --tail 1 --stdout | sort)" "$prefix-api1 | first"$'\n'"$prefix-api2 | second"
like 'with times' "$(holm logs -t "$prefix-api[2]")" "^$prefix-api2 \| 20[^ ]+Z stdout second"
is 'stats of a pattern' "$(holm stats -1 -i 10ms -c pids -f csv "$prefix-api*" | cut -d, -f3 | tr '\n' ' ')" "id $prefix-api1 $prefix-api2 "
is 'stats by label' "$(holm stats -1 -i 10ms -c pids -f csv -l part=api | wc -l)" 3
for verb in shell kill ps pause 'stats -1'; do
	# shellcheck disable=SC2086 # an option
	refuses "$verb: a similar name" "container does not exist; did you mean '$prefix-api1'" holm $verb "$prefix-api"
done
refuses 'stats of nothing' 'no container that runs matches' holm stats -1 "$prefix-x*"
like 'ps of many' "$(holm ps "$prefix-api*")" "^ID +UID +PID"$'.*\n'"$prefix-api1 .*"$'\n'"$prefix-api2 "
fact 'as JSON' "$(holm ps -f json --label part=api)" '[keys[], (map(type) | unique[])] | tostring' "[\"$prefix-api1\",\"$prefix-api2\",\"array\"]"
is 'exec takes a pattern for one' "$(holm exec "$prefix-*i1" hostname)" "$prefix-api1"
refuses 'and not for more' "stands for '$prefix-api1', '$prefix-api2': this verb takes one" holm exec "$prefix-api*" true
refuses 'nor does shell' 'takes one of them' holm shell "$prefix-api*" true
refuses 'nor does attach' 'takes one of them' holm attach "$prefix-api*"
check 'kill by label' holm kill --label part=api HUP
check 'reaches those' wait_instance api2 failed
check 'and those that handle it' wait_for 10 has_output api1 hup
refuses 'kill of a label that nobody has' "has the label 'part=no'" holm kill --label part=no
is 'wait says of whom, where it is not by name' "$(holm wait "$prefix-api2*")" "$prefix-api2 4"
is 'wait takes labels' "$(holm wait --label part=api --for stopped --timeout 100ms 2>&1 | grep -c 'the time is over')" 1
is 'why takes labels' "$(holm why --label part=api | grep -c "^$prefix-api[12] is ")" 2
holm update --label part=api -m 48M --cpus 0.5 --pids 77
fact "update takes labels, and launch's options" "$(holm inspect --label part=api)" \
	'[.[].config.linux.resources | [.memory.limit, .cpu.quota, .pids.limit]] | unique | tostring' '[[50331648,50000,77]]'
both="$prefix-api[12]"
for words in "edit $both" "diff $both" "diff --config $both" "rename $both $prefix-new" "clone $both $prefix-new" "export $both -" \
	"commit $both $prefix:new" "cp $both:/etc/passwd $work/new"; do
	# shellcheck disable=SC2086 # words
	refuses "${words%% *} takes one" "stands for '$prefix-api1', '$prefix-api2': this verb takes one of them" holm $words
done
check 'by a pattern, too' holm cp "$prefix-*i1:/etc/passwd" "$work/new"
holm remove --force --label part=api
check 'remove by label' holm remove --force --label tier=web
is 'they are gone' "$(names)" 'data '
# Removing waits for who is at work on it; what that has started meanwhile must not lose its folder.
launch raced sleep 1000 >/dev/null
holm stop "$prefix-raced"
exec {lock}<"$data/instances/$prefix-raced"
flock "$lock"
"$HOLM" --root "$state" --data "$data" remove --force "$prefix-raced" >/dev/null 2>&1 {lock}<&- & # (a function would be a shell's child)
remover=$!
waits() { grep -qE '^(35|230|101|115) ' "/proc/$1/syscall"; } # nanosleep(2)
wait_for 10 waits $remover
kill -STOP $remover
exec {lock}<&-
check 'an instance is started while somebody waits to remove it' holm start "$prefix-raced"
raced=$(pid_of "$prefix-raced")
kill -CONT $remover
# (On a slow machine it may have waited long enough.)
check 'it is removed' eval 'wait $remover || holm remove --force "$prefix-raced"'
check 'stopped, not from under its feet' eval '[ -n "$raced" ] && [ ! -e "/proc/$raced" ]'

holm remove --force "$prefix-data"
is 'with all that they had' "$(find "$data/instances" "$data/ids" "$data/tmp" -mindepth 1 -maxdepth 1)" ''

# --- an end by itself, and --rm ------------------------------------------------------------------------------------------------

launch short -- sh -c 'exit 7' >/dev/null
check 'an end is seen' wait_instance short failed
is 'wait' "$(holm wait "$prefix-short"; echo $?)" $'7\n7'
holm remove "$prefix-short"
launch volatile --rm -- sleep 0.2 >/dev/null
vanished() { [ ! -e "$data/instances/$prefix-volatile" ]; }
check '--rm removes it' wait_for 10 vanished

# --- order -------------------------------------------------------------------------------------------------------------------

printf 'echo "$1 begins" >>/shared/order; trap "echo \\"$1 ends\\" >>/shared/order; exit 0" TERM; while :; do sleep 0.02; done\n' >"$rootfs/bin/serve"
mkdir "$work/shared" "$rootfs/shared"
# Each in the host's user namespace, as the folder is the host's.
begin_order() {
	launch c --userns host -v "$work/shared:/shared" --after "$prefix-b" -- sh /bin/serve c >/dev/null
	launch b --userns host -v "$work/shared:/shared" --after "$prefix-a" --delay 100ms -- sh /bin/serve b >/dev/null
	launch a --userns host -v "$work/shared:/shared" -- sh /bin/serve a >/dev/null
}
written() { [ "$(wc -l <"$work/shared/order")" -ge "$1" ]; }
rm -f "$work/shared/order"
begin_order
check 'three run' wait_for 10 written 3
check 'stop --all' holm stop --all
is 'in reverse order' "$(tail -n 3 "$work/shared/order" | tr '\n' ' ')" 'c ends b ends a ends '
fact 'stop --all remembers who ran' "$(holm inspect --all)" 'map(.up) | all'
rm -f "$work/shared/order"
holm stop "$prefix-c"
check 'start --all' holm start --all --parallel 3
check 'starts those' wait_for 10 written 2
is 'in order, without what was stopped by name' "$(tr '\n' ' ' <"$work/shared/order")" 'a begins b begins '
check 'restart of many' holm restart "$prefix-[ab]"
wait_for 10 written 6
is 'one after the other' "$(tail -n 4 "$work/shared/order" | tr '\n' ' ' | sed 's/a begins b ends/a begins, b ends/')" 'a ends a begins, b ends b begins '
remove_all
# One that is ready only after the one behind the delay runs.
touch "$work/shared/second"
launch slow --userns host -v "$work/shared:/shared" --notify -- \
	sh -c 'until [ -e /shared/second ]; do sleep 0.02; done; probe ready & sleep 1000' >/dev/null
launch first --delay 100ms -- sleep 1000 >/dev/null
launch second --userns host -v "$work/shared:/shared" --after "$prefix-first" -- sh -c 'touch /shared/second; sleep 1000' >/dev/null
holm stop --all --kill
rm "$work/shared/second"
check 'a delay does not wait for what else is being started' timeout 30 "$HOLM" --root "$state" --data "$data" start --all
remove_all
launch x --after "$prefix-y" true >/dev/null
launch y --after "$prefix-x" true >/dev/null
refuses 'a circle' 'a circle' holm start "$prefix-x" "$prefix-y"
check 'it can be removed' holm remove --force --all

# --- files -------------------------------------------------------------------------------------------------------------------

cat >"$work/app.json" <<END
{"instances": {
	"$prefix-app": {"rootfs": "$rootfs", "network": "none", "memory": "64M", "cpus": 0.5, "env": {"A": "1", "N": 2},
		"label": {"tier": "app"}, "after": ["$prefix-store"], "command": ["sleep", "1000"]},
	"$prefix-store": {"rootfs": "$rootfs", "network": "none", "command": "sleep 1000; true"}}}
END
is 'apply --dry-run' "$(holm apply --dry-run "$work/app.json")" "$prefix-app: would be made"$'\n'"$prefix-store: would be made"
is 'does nothing' "$(holm list -q)" ''
is 'apply' "$(holm apply "$work/app.json")" "$prefix-app: made"$'\n'"$prefix-store: made"
is 'they run' "$(names --running)" 'app store '
is 'with their variables' "$(holm exec "$prefix-app" sh -c 'echo $A $N')" '1 2'
is 'apply again' "$(holm apply "$work/app.json")" "$prefix-app: unchanged"$'\n'"$prefix-store: unchanged"
sed -i 's/64M/96M/; s/"N": 2/"N": 3/; s/"app"}/"app", "new": "yes"}/' "$work/app.json"
said=$(holm apply "$work/app.json")
like 'a limit changes at once' "$said" "$prefix-app: linux.resources.memory.limit: 67108864 -> 100663296 \(now\)"
like 'a variable needs a restart' "$said" "$prefix-app: process.env\[[0-9]+\]: \"N=2\" -> \"N=3\" \(needs a restart\)"
like 'labels change' "$said" "$prefix-app: labels \(now\)"
is 'the variable is as it was' "$(holm exec "$prefix-app" sh -c 'echo $N')" 2
limit_of() {
	cat "/sys/fs/cgroup$(sed -n 's/^0:://p; s/^[0-9]*:memory://p' "/proc/$(pid_of "$1")/cgroup" | head -n 1)/memory.max" 2>/dev/null ||
		cat "/sys/fs/cgroup/memory$(sed -n 's/^[0-9]*:memory://p' "/proc/$(pid_of "$1")/cgroup")/memory.limit_in_bytes" 2>/dev/null
}
is 'the kernel knows' "$(limit_of "$prefix-app")" 100663296
like 'what waits for a restart is told again' "$(holm apply --dry-run "$work/app.json")" "$prefix-app: process.env\[[0-9]+\]: \"N=2\" -> \"N=3\" \(needs a restart\)"
check 'up --restart' holm up --restart "$work/app.json"
is 'restarts it, though config.json has it already' "$(holm exec "$prefix-app" sh -c 'echo $N') $(holm apply "$work/app.json" | grep -c unchanged)" '3 2'
sed -i 's/"N": 3/"N": 4/' "$work/app.json"
check 'up --restart with a change' holm up --restart "$work/app.json"
is 'the new variable' "$(holm exec "$prefix-app" sh -c 'echo $N')" 4
sed 's/memory/memroy/' "$work/app.json" >"$work/bad.json"
refuses 'an unknown key' "instances.$prefix-app: .*did you mean --memory" holm apply "$work/bad.json"
sed 's,"rootfs": "[^"]*","rootfs": "/usr",' "$work/app.json" >"$work/bad.json"
refuses 'another root' '--recreate' holm apply "$work/bad.json"
refuses 'a circle in a file, before anything is made' "'$prefix-o2' itself: a circle" holm up <(cat <<-END
	{"instances": {"$prefix-o1": {"rootfs": "$rootfs", "after": ["$prefix-o2"], "command": ["true"]},
		"$prefix-o2": {"rootfs": "$rootfs", "after": ["$prefix-o1"], "command": ["true"]}}}
END
)
is 'and nothing is' "$(names | grep -c 'o[12]')" 0
refuses 'no JSON' 'invalid token' holm apply <(echo nonsense)
check 'down' holm down -t 1s "$work/app.json"
is 'they are down' "$(names --running)" ''
check 'up' holm up "$work/app.json"
is 'they are up' "$(names --running)" 'app store '

EDITOR='sed -i s/100663296/134217728/' holm edit "$prefix-app" >"$work/said" 2>&1
is 'edit' "$(cat "$work/said")" 'linux.resources.memory.limit: now'
is 'the kernel knows that, too' "$(limit_of "$prefix-app")" 134217728
refuses 'an edit that makes no sense' 'nothing is changed; edit it again.*ociVersion' env EDITOR='sed -i s/ociVersion/version/' "$HOLM" --root "$state" --data "$data" edit "$prefix-app"
EDITOR='sed -i s/\"version\"/\"ociVersion\"/' holm edit "$prefix-app" >"$work/said" 2>&1
is 'it is gone on with' "$(cat "$work/said")" unchanged
check 'update, kept' holm update --memory 64M "$prefix-app"
fact 'in config.json' "$(holm inspect "$prefix-app")" '.[0].config.linux.resources.memory.limit' 67108864
check 'update for this run only' holm update --memory 80M --this-run "$prefix-app"
fact 'not in config.json' "$(holm inspect "$prefix-app")" '.[0].config.linux.resources.memory.limit' 67108864
is 'but in the kernel' "$(limit_of "$prefix-app")" 83886080
like 'diff shows file, record and kernel' "$(holm diff --config "$prefix-app")" "memory.limit +67108864 +83886080 +83886080"
check 'down --remove' holm down --remove "$work/app.json"
is 'nothing is there' "$(holm list -q)" ''

# --- a service ---------------------------------------------------------------------------------------------------------------

host h
outside h out 2>/dev/null || { host out; }
mkdir -p "$work/run" "$work/lib/holm" "$rootfs/www"
echo pong >"$rootfs/www/index.html"
holm_there() {
	nsenter --net="$(ns_file h)" unshare --mount --propagation private sh -c '
		mount --bind "$1/run" /run && mount --bind "$1/lib" /var/lib && shift && exec "$@"' sh "$work" \
		"$HOLM" --root "$state" --data "$data" "$@"
}
check 'a service with an address, a port and limits' holm_there launch --name "$prefix-www" --rootfs "$rootfs" -m 64M -c 0.5 --pids 50 \
	--address 10.66.0.77 -p 8080:80 -- httpd -f -p 80 -h /www
is 'answers on its port' "$(on h curl -s --max-time 5 http://127.0.0.1:8080/)" pong
is 'and on its address' "$(on h curl -s --max-time 5 http://10.66.0.77/)" pong
fact 'inspect shows both' "$(holm_there inspect "$prefix-www")" '.[0] | [.networks[0].address4, .ports[0]] | tostring' '["10.66.0.77/22","127.0.0.1:8080:80/tcp"]'
check "another in its network" holm_there launch --name "$prefix-side" --rootfs "$rootfs" --network "instance:$prefix-www" -- sh -c 'wget -qO- http://127.0.0.1/; sleep 1000'
check 'reaches it on loopback' wait_for 10 has_output side pong
check 'restart' holm_there restart "$prefix-www"
is 'answers again' "$(on h curl -s --max-time 5 --retry 3 --retry-connrefused http://127.0.0.1:8080/)" pong
check 'stop' holm_there stop "$prefix-side" "$prefix-www"
refuses 'a start without the other' "is not running|does not exist" holm_there start "$prefix-side"
check 'remove' holm_there remove --all
is 'no address is left' "$(find "$work/run/holm-net" -name "*$prefix-www*" 2>/dev/null)" ''

# --- --init --------------------------------------------------------------------------------------------------------------------

launch init --init -- sh -c '(sleep 0.1 &); sleep 0.3; ps; trap "exit 9" INT; while :; do sleep 0.05; done' >/dev/null
wait_for 10 has_output init 'sh -c'
unlike 'no zombie is left' "$(output_of init)" 'Z'
holm kill "$prefix-init" INT
check 'signals are passed on' wait_instance init failed
is 'and the exit status comes back' "$(holm wait "$prefix-init")" 9
refuses 'a program that is not there' "exec 'nonesuch'" launch init2 --init nonesuch
remove_all
check 'gc' holm gc
