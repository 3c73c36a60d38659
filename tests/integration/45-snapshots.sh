#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Snapshots of stopped and running instances, going back to them, clones, and what an instance changed; holm killed on the way.
# where: host
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/launch.sh"
mkdir -p "$rootfs/opt/deep/er"
touch "$rootfs/opt/deep/file"

i=$prefix-web
inside() { # if it is frozen still, it must not hang
	timeout 20 "$HOLM" --root "$state" --data "$data" exec "$i" sh -c "$1"
}
pushes() {
	ls "$data/pushes" 2>/dev/null | wc -l
}
launch web -- sh -c 'trap exit TERM; while :; do sleep 0.05; done' >/dev/null

# --- what it changed -----------------------------------------------------------------------------------------------------------

inside 'echo new >/etc/new; rm /etc/passwd; chmod 700 /tmp; rm -r /opt; mkdir /opt; touch /opt/x; mkdir -p /a/b; touch "/a/b/$(printf "\033x")"'
is 'diff: added, changed, removed, replaced' "$(holm diff "$i")" 'A /a
A /a/b
A /a/b/\033x
C /etc
A /etc/new
D /etc/passwd
C /opt
D /opt/deep
A /opt/x
C /tmp'
fact 'as JSON' "$(holm diff -f json "$i")" '[.[] | select(.path == "/etc/passwd")] | tostring' \
	'[{"path":"/etc/passwd","change":"removed","type":"file"}]'
refuses 'diff of nothing' "there is no instance" holm diff "$prefix-none"

# --- a running one -------------------------------------------------------------------------------------------------------------

inside 'ln /etc/new /etc/again; ln -s /etc/new /etc/link; mkfifo /a/fifo; echo x >/a/owned; chown 12:34 /a/owned; chmod 4751 /a/owned
	dd if=/dev/zero of=/a/sparse bs=1 count=1 seek=50M 2>/dev/null'
is 'create prints the name' "$(holm snapshot create "$i" -m 'before the upgrade')" snap1
is 'it runs on' "$(instance_status web)" running
is 'and is not frozen' "$(inside 'echo yes')" yes
inside 'rm -r /a /etc/new; echo changed >/etc/again; touch /late'
is 'a second one, by name' "$(holm snapshot create "$i" late)" late
refuses 'a name that is taken' "there is a snapshot 'late' already" holm snapshot create "$i" late
refuses 'a name that leads elsewhere' 'invalid snapshot name' holm snapshot create "$i" ../x
fact 'list' "$(holm snapshot list -f json "$i")" 'map([.name, .parent, .running, .current, .comment]) | tostring' \
	'[["snap1",null,true,false,"before the upgrade"],["late","snap1",true,true,null]]'
refuses 'restore needs it to be stopped' 'it runs: stop it first, or --restart' holm snapshot restore "$i" snap1
refuses 'restore of nothing' "there is no snapshot 'none' \(there are: snap1, late\)" holm snapshot restore --restart "$i" none
is 'which stops nothing' "$(instance_status web)" running
check 'restore --restart' holm snapshot restore --restart "$i" snap1
wait_instance web running
is 'the files are as they were' "$(inside 'cat /etc/new /etc/again; readlink /etc/link; ls /late 2>/dev/null; stat -c "%u:%g %a" /a/owned; stat -c %h /etc/new')" \
	$'new\nnew\n/etc/new\n12:34 4751\n2'
is 'holes are holes' "$(inside 'stat -c "%s %b" /a/sparse')" "$((50 * 1024 * 1024 + 1)) 8"
is 'a fifo is a fifo' "$(inside '[ -p /a/fifo ] && echo yes')" yes
is 'a folder that was replaced is' "$(inside 'ls /opt')" x
is 'what was removed is' "$(inside 'ls /etc/passwd 2>/dev/null')" ''
is 'the root has its mode' "$(inside 'stat -c %a /tmp')" 700

# --- a stopped one -------------------------------------------------------------------------------------------------------------

holm stop "$i"
before=$(stat -c %i "$data/instances/$i/upper")
check 'restore' holm snapshot restore "$i" late
check 'create' holm snapshot create "$i" same
is 'nothing was written: no push' "$(jq -c '.snapshots[1].pushes == .snapshots[2].pushes' "$data/instances/$i/snapshots.json")" true
holm start "$i"
inside 'dd if=/dev/zero of=/big bs=1M count=8 2>/dev/null; chmod 711 /'
holm stop "$i"
before=$(stat -c %i "$data/instances/$i/upper")
check 'create after writing' holm snapshot create "$i" big
push=$(jq -r '.pushes[-1]' "$data/instances/$i/root.json")
is 'what was written became the push: nothing was copied' "$(stat -c %i "$data/pushes/$push/tree")" "$before"
is 'and what is written from now on is empty' "$(ls -A "$data/instances/$i/upper")" ''
is 'diff since a snapshot' "$(holm diff --since same "$i")" 'A /big'
is 'tree' "$(holm snapshot tree "$i" | sed 's/  20[^ ]*Z//')" "$rootfs
└── snap1  before the upgrade
    └── late
        └── same
            └── big  (now)"
check 'restore an older one' holm snapshot restore "$i" snap1
check 'and branch off' holm snapshot create "$i" branch
is 'tree with a branch' "$(holm snapshot tree "$i" | sed 's/  20[^ ]*Z//')" "$rootfs
└── snap1  before the upgrade
    ├── late
    │   └── same
    │       └── big
    └── branch  (now)"
check 'restore the newest' holm snapshot restore "$i" big
holm start "$i"
is 'it is there, with the mode of the root' "$(inside 'stat -c %s /big; stat -c %a /; cat /etc/again')" $'8388608\n711\nchanged'
holm stop "$i"

# --- clones --------------------------------------------------------------------------------------------------------------------

count=$(pushes)
check 'clone a stopped one' holm clone "$i" "$prefix-copy"
is 'which wrote nothing since: no push' "$(pushes)" "$count"
is 'both lie on the same' "$(jq -c .pushes "$data/instances/$prefix-copy/root.json")" "$(jq -c .pushes "$data/instances/$i/root.json")"
isnt 'ids of its own' "$(jq '.linux.uidMappings[0].hostID' "$data/instances/$prefix-copy/config.json")" \
	"$(jq '.linux.uidMappings[0].hostID' "$data/instances/$i/config.json")"
holm start "$i"
holm start "$prefix-copy"
is 'a host name of its own' "$(holm exec "$prefix-copy" hostname)" "$prefix-copy"
inside 'echo source >/who'
holm exec "$prefix-copy" sh -c 'echo clone >/who; rm /big'
is 'each writes for itself' "$(inside 'cat /who; ls /big') $(holm exec "$prefix-copy" cat /who)" $'source\n/big clone'
check 'clone a running one, and start it' holm clone --start "$i" "$prefix-hot"
is 'it has what was written' "$(holm exec "$prefix-hot" cat /who)" source
is 'the source runs on' "$(inside 'echo yes')" yes
check 'clone a snapshot' holm clone --snapshot snap1 "$i" "$prefix-old"
is 'with its state' "$(holm diff "$prefix-old" | grep -c /a/owned)" 1
refuses 'a name that is taken' 'there is an instance' holm clone "$i" "$prefix-old"
refuses 'a snapshot that is not there' "there is no snapshot 'x'" holm clone --snapshot x "$i" "$prefix-x"
is 'leaves nothing' "$(ls "$data/tmp")" ''

# --- less of it ------------------------------------------------------------------------------------------------------------------

holm stop "$i"
check 'remove' holm snapshot remove "$i" late same
is 'those that came from them stay' "$(holm snapshot list -f json "$i" | jq -c 'map([.name, .parent])')" \
	'[["snap1",null],["big","snap1"],["branch","snap1"]]'
check 'restore one that lay on it' holm snapshot restore "$i" big
check 'remove the source' holm remove "$i"
is 'a clone has all that it needs' "$(holm exec "$prefix-copy" cat /etc/again)" changed
check 'remove the clones' holm remove --force "$prefix-copy" "$prefix-hot" "$prefix-old"
is 'nothing needs the pushes any more' "$(pushes)" 0

# --- as many as there can be ----------------------------------------------------------------------------------------------------

launch many -- sh -c 'trap exit TERM; while :; do sleep 0.05; done' >/dev/null
i=$prefix-many
inside 'touch /first'
holm stop "$i"
check 'a first one' holm snapshot create "$i" first
# Others that were made since, in one go.
mapfile -t ids < <(seq -f %016g 497)
mkdir -p "${ids[@]/#/$data/pushes/}" && (cd "$data/pushes" && mkdir "${ids[@]/%//tree}" && tee "${ids[@]/%//push.json}" <<<'{"created": 1}' >/dev/null)
record=$(jq --tab '.pushes += $ARGS.positional' --args "${ids[@]}" <"$data/instances/$i/root.json")
echo "$record" >"$data/instances/$i/root.json"
touch "$data/instances/$i/upper/more"
refuses 'one more' 'its root has 499 layers, and overlayfs takes at most 500; while it runs' holm snapshot create "$i"
refuses 'nor a clone' 'its root has 499 layers' holm clone "$i" "$prefix-more"
check 'it starts' holm start "$i"
check 'a snapshot while it runs' holm snapshot create "$i" last
check 'can be gone back to' holm snapshot restore --restart "$i" last
is 'it has all 500' "$(inside 'ls /first /more')" $'/first\n/more'
refuses 'that is all' 'its root has 500 layers, and overlayfs takes at most 500"' holm snapshot create "$i"
inside 'touch /late'
check 'back to the first' holm snapshot restore --restart "$i" first
is 'it has what it had' "$(inside 'ls /first /more /late 2>/dev/null')" /first
refuses 'remove takes all that are named, or none' "there is no snapshot 'none'" holm snapshot remove "$i" last none
check 'remove' holm snapshot remove "$i" last
is 'what is nobody'\''s goes' "$(pushes)" 1
check 'remove the instance' holm remove --force "$i"

# --- killed ------------------------------------------------------------------------------------------------------------------------

# The payload says when it goes on: a frozen one would not.
launch frozen -- sh -c 'mkdir /d; for n in $(seq 3000); do echo $n >/d/$n; done; touch /done; while :; do echo x >>/beat; sleep 0.05; done' >/dev/null
i=$prefix-frozen
wait_for 30 inside '[ -e /done ]'
killed=0
for after in 0.002 0.005 0.01 0.02 0.03 0.05 0.08 0.12; do
	"$HOLM" --root "$state" --data "$data" snapshot create "$i" "k$killed" >/dev/null 2>&1 &
	victim=$!
	sleep $after
	kill -KILL $victim 2>/dev/null
	wait $victim 2>/dev/null
	killed=$((killed + 1))
	wait_for 10 is_instance_status frozen running
	n=$(inside 'wc -c </beat')
	beats() { [ "$(inside 'wc -c </beat')" -gt "$n" ]; }
	wait_for 10 beats || not_ok "it goes on after a kill at $after s"
done
ok 'killed while it snapshots: the instance goes on'
check 'the next one succeeds' holm snapshot create "$i" whole
holm stop "$i" >/dev/null 2>&1
check 'what is left is collected' holm gc
is 'all snapshots are whole' "$(for s in $(holm snapshot list -f json "$i" | jq -r '.[].name'); do
	p=$(jq -r --arg s "$s" '.snapshots[] | select(.name == $s) | .pushes[-1]' "$data/instances/$i/snapshots.json")
	ls "$data/pushes/$p/tree/d" | wc -l
done | sort -u)" 3000

# A stopped one, at every step that can be seen: each rename(2) and unlink(2) of it.
holm start "$i" && inside 'echo precious >/precious'
holm stop "$i" >/dev/null 2>&1
if command -v strace >/dev/null; then
	bad=0
	for call in renameat:1 renameat:2 renameat:3 renameat:4 renameat2:1 renameat2:2 unlinkat:1 mkdirat:1 mkdirat:3 fsync:1; do
		(strace -qq -o /dev/null -e trace=${call%:*} -e inject=${call%:*}:signal=KILL:when=${call#*:} \
			"$HOLM" --root "$state" --data "$data" snapshot create "$i") >/dev/null 2>&1
		holm start "$i" >/dev/null 2>&1 || bad=$((bad + 1))
		[ "$(inside 'cat /precious' 2>&1)" = precious ] || bad=$((bad + 1))
		inside "echo $call >/last" || bad=$((bad + 1))
		holm stop --timeout 0 "$i" >/dev/null 2>&1
	done
	is 'killed at every step: what it wrote is there, and it starts' $bad 0
	check 'and can be snapshotted' holm snapshot create "$i" afterwards
else
	skip 'killed at every step' 'no strace'
fi
check 'remove it' holm remove --force "$i"

# --- of many -----------------------------------------------------------------------------------------------------------------------

for name in m1 m2 m3; do launch $name -l "tier=$([ $name = m3 ] && echo data || echo web)" sleep 1000 >/dev/null; done
is 'create by pattern' "$(holm snapshot create "$prefix-m[12]" before -m why)" "$prefix-m1 before"$'\n'"$prefix-m2 before"
is 'a name made up for each' "$(holm snapshot create "$prefix-m*" -l tier=web)" "$prefix-m1 snap2"$'\n'"$prefix-m2 snap2"
refuses 'who has it already fails, the others do not' '2 of 3 instances failed' holm snapshot create "$prefix-m*" before
like 'list' "$(holm snapshot list "$prefix-m3" "$prefix-m1")" "^INSTANCE +NAME .*"$'\n'"$prefix-m1 +before .* why"$'\n'"$prefix-m1 +snap2 .*"$'\n'"$prefix-m3 +before"
fact 'list as JSON' "$(holm snapshot list -f json "$prefix-m*")" 'map_values(map(.name)) | tostring' \
	"{\"$prefix-m1\":[\"before\",\"snap2\"],\"$prefix-m2\":[\"before\",\"snap2\"],\"$prefix-m3\":[\"before\"]}"
refuses 'a pattern of none' "^[^I]*no instance matches" holm snapshot list "$prefix-x*"
check 'remove by label' holm snapshot remove -l tier=web "$prefix-m*" before snap2
fact 'they are gone' "$(holm snapshot list -f json "$prefix-m*")" 'map(length) | tostring' '[0,0,1]'
check 'remove them' holm remove --force --all
holm gc >/dev/null
is 'nothing is left' "$(find "$data/pushes" "$data/instances" "$data/tmp" -mindepth 1)" ''
