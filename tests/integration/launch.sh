# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the tests of instances share; sourced after lib.sh.  Instances have names that begin with $prefix, so that what is left of them
# is found; their data folder is $data.
# shellcheck disable=SC2034,SC2154
is_holm || skip_all 'holm only'
[ "$(id -u)" -eq 0 ] || skip_all 'needs root'
data=$work/data
make_root "$rootfs"

holm() {
	"$HOLM" --root "$state" --data "$data" "$@"
}

# launch NAME [OPTION|COMMAND]...: from $rootfs, without a network
launch() {
	local name=$1
	shift
	holm launch --name "$prefix-$name" --network none --rootfs "$rootfs" "$@"
}

# config_of OPTION...: the config.json that launch would write
config_of() {
	holm launch --dry-run --name "$prefix-plan" --rootfs "$rootfs" "$@" 2>&1 | sed '/^}$/q'
}

instance_status() {
	holm inspect "$prefix-$1" 2>/dev/null | jq -r '.[0].status'
}

is_instance_status() {
	[ "$(instance_status "$1")" = "$2" ]
}

# wait_instance NAME STATUS
wait_instance() {
	wait_for 10 is_instance_status "$1" "$2"
}

# output_of NAME: what it has printed
output_of() {
	cat "$data/instances/$prefix-$1"/log/*.log 2>/dev/null
}

has_output() {
	[[ $(output_of "$1") == *$2* ]]
}

remove_all() {
	holm remove --force --all >/dev/null 2>&1
}
