# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the tests of cgroups/ share; sourced after lib.sh.

# run_driver COMMAND...: the results of tests/drive/cgroups, numbered as ours
run_driver() {
	local line finished=0
	while IFS= read -r line; do
		case $line in
		'ok '*' # SKIP '*) line=${line#ok * - } && skip "${line%% # SKIP *}" "${line#* # SKIP }" ;;
		'ok '*) ok "${line#ok * - }" ;;
		'not ok '*) not_ok "${line#not ok * - }" ;;
		'#'*) echo "$line" ;;
		1..*) finished=1 ;;
		esac
	done < <("$@" 2>&1)
	is "the driver came to its end (${*: -2:1})" $finished 1
}
