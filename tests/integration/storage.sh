# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the tests of storage share: a data folder of the test's own.  After lib.sh.
data=$work/data
mkdir -m 700 "$data"
empty=$work/empty
hostile=$work/hostile

# holm, with that data folder
holm() {
	local verb=$1
	shift
	case $verb in
	create | run) "$HOLM" --root "$state" --data "$data" "$verb" --bundle "$bundle" "$@" ;;
	*) "$HOLM" --root "$state" --data "$data" "$verb" "$@" ;;
	esac
}

# storage_bundle [JQ-FILTER | --arg NAME VALUE | --argjson NAME VALUE]... [-- ARGUMENT...]: as bundle, with $empty and $hostile
storage_bundle() {
	local filter=. options=()
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		case $1 in
		--arg | --argjson)
			options+=("$1" "$2" "$3")
			shift 3
			;;
		*)
			filter+=" | $1"
			shift
			;;
		esac
	done
	bundle "$@"
	config "$filter" --arg empty "$empty" "${options[@]}"
}

# The loop devices on files of this test.
loops() {
	cat /sys/block/loop*/loop/backing_file 2>/dev/null | grep -F "$work" | sort | tr '\n' ' '
}
