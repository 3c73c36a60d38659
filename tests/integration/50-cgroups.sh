#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The library of cgroups/ on this host's hierarchies: limits, devices, freezing, updates, events, the end (tests/drive/cgroups.c).
# timeout: 180
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" -eq 0 ] || skip_all 'needs root'

# Its numbered results are handed on with numbers of ours.
run_driver() {
	local line
	while IFS= read -r line; do
		case $line in
		'ok '*' # SKIP '*) line=${line#ok * - } && skip "${line%% # SKIP *}" "${line#* # SKIP }" ;;
		'ok '*) ok "${line#ok * - }" ;;
		'not ok '*) not_ok "${line#not ok * - }" ;;
		'#'*) echo "$line" ;;
		1..*) finished=1 ;;
		esac
	done < <("$BUILD/tests/drive/cgroups" "$@" 2>&1)
}

finished=0
run_driver lib "$prefix"
is 'the driver came to its end' "$finished" 1
like 'holm check has rows' "$("$BUILD/tests/drive/cgroups" check)" 'yes memory.limit'

if [ "$HOLM_WHERE" = systemd ]; then
	finished=0
	run_driver systemd "$prefix"
	is 'the driver came to its end with systemd' "$finished" 1
fi
