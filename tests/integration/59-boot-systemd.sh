#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# where: systemd
# timeout: 60
#
# Instances as units of systemd: the generator, order and delay, readiness, the keeper as main process; a shutdown stops them in
# reverse order, and the next boot starts who ran.
. "$(dirname "$0")/lib.sh"
. tests/integration/instances.sh
[ "$(id -u)" -eq 0 ] || skip_all 'needs root'

# What `make install` brings, with this test's folders in holm's command line.
units=/run/systemd/system generators=/run/systemd/system-generators
cat >"$work/holm" <<P
#!/bin/sh
exec "$HOLM" --root "$state" --data "$data" "\$@"
P
chmod 755 "$work/holm"
mkdir -p "$generators"
for unit in holm@.service holm-stop.service; do sed "s,@bin@,$work,g" "boot/$unit.in" >"$units/$unit"; done
sed "s,@bin@,$work,g; s,@units@,$units,g" boot/holm-generator.in >"$generators/holm-generator"
chmod 755 "$generators/holm-generator"
web=$prefix-web db=$prefix-db other=$prefix-other
clear_units() {
	systemctl stop "holm@$web" "holm@$db" 2>/dev/null
	rm -rf "$units"/holm* "$generators/holm-generator"
	systemctl daemon-reload
}
trap 'status=$?; clear_units; remove_instances; (exit $status); finish' EXIT

# moment NAME started|ended: of its last run, in seconds
moment() {
	jq ".$2 / 1e9" "$data/instances/$1/end.json"
}

launch "$db" --delay 1s -- sh -c 'trap "exit 0" TERM; while :; do sleep 0.1; done' >/dev/null
launch "$web" --after "$db" --notify -- sh -c 'trap "exit 0" TERM; sleep 0.2; probe ready & while :; do sleep 0.1; done' >/dev/null
launch "$other" --after "$web" -- sleep 600 >/dev/null
on stop "$other"

# --- a shutdown ----------------------------------------------------------------------------------------------------------------

check 'a unit for the shutdown' systemctl start holm-stop.service
check 'the shutdown' systemctl stop holm-stop.service
is 'nothing runs' "$(on list -q --running)" ''
fact 'they stopped in reverse order' "[$(moment "$web" ended), $(moment "$db" ended)]" '.[0] < .[1]'

# --- a boot --------------------------------------------------------------------------------------------------------------------

systemctl daemon-reload
is 'the generator makes units of those that ran' "$(cd /run/systemd/generator/multi-user.target.wants && echo holm*)" \
	"holm-stop.service holm@$db.service holm@$web.service"
check 'a unit is started, and what it comes after' systemctl start "holm@$web.service"
is 'both are active' "$(systemctl is-active "holm@$web.service" "holm@$db.service" | tr '\n' ' ')" 'active active '
is 'the payloads run' "$(status_of "$web") $(status_of "$db")" 'running running'
read -r keeper _ <<<"$(monitors "$web")"
is 'its main process is the keeper' "$(systemctl show -P MainPID "holm@$web.service")" "$keeper"
check 'a unit is stopped' systemctl stop "holm@$web.service"
is 'and the instance with it' "$(on list -q --running)" "$db"
fact 'in order, and the delay was kept' "[$(systemctl show --value -p ExecMainStartTimestampMonotonic "holm@$db.service"), $(systemctl show --value -p ExecMainStartTimestampMonotonic "holm@$web.service")]" \
	'.[1] - .[0] >= 1e6'
is 'the next boot starts it again' "$(jq .up "$data/instances/$web/instance.json")" true
check 'it is started again' systemctl start "holm@$web.service"
on kill "$web" KILL
is_inactive() {
	! systemctl is-active "holm@$web.service"
}
check 'the unit ends with the instance' wait_for 30 is_inactive
