# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the crash tests share, after tests/integration/lib.sh.
#
# HOLM_CRASH=full: every system call, ten thousand cycles.  By default a part of them, so that each file ends within minutes;
# where everything is slower (HOLM_TIMESCALE) a smaller part.
# shellcheck disable=SC2154 # variables of lib.sh
[ "$(id -u)" -eq 0 ] || skip_all 'needs root'
is_holm || skip_all 'about holm'
step=$BUILD/tests/crash/step
storm=$BUILD/tests/crash/storm
[ -x "$probe" ] && [ -x "$step" ] && [ -x "$storm" ] || skip_all 'make test-programs builds what it needs'
mkdir "$work/crash"

# part FULL DEFAULT: a number, for the full mode and for the default
part() {
	if [ "${HOLM_CRASH:-}" = full ]; then echo "$1"; else echo "$2"; fi
}

# A bundle whose payload reports and one whose payload stays, both with the same settings: $reporting, $staying
two_bundles() {
	bundle "$@" -- /bin/probe
	reporting=$bundle
	bundle "$@" -- sleep 1000
	staying=$bundle
}

# stepped NAME STRIDE MODE VICTIM CASE [OPTION]...
stepped() {
	local name=$1 stride=$2 text status
	shift 2
	[ "${HOLM_CRASH:-}" != full ] || stride=1
	[ "$HOLM_TIMESCALE" -eq 1 ] || stride=$((stride * 8))
	text=$("$step" "$@" --holm "$HOLM" --state "$state" --work "$work/crash" --id "$id" --probe "$reporting" \
		--service "$staying" --stride "$stride" ${data:+--data "$data"} 2>&1)
	status=$?
	if [ $status -eq 0 ]; then ok "$name: ${text##*$'\n'}"; else not_ok "$name: ${text##*$'\n'}" "$text"; fi
}

# stormed NAME MODE NUMBER
stormed() {
	local name=$1 text status
	text=$("$storm" "$2" "$3" --holm "$HOLM" --state "$state" --work "$work/crash" --id "$id" --probe "$reporting" \
		--service "$staying" 2>&1)
	status=$?
	if [ $status -eq 0 ]; then ok "$name: ${text##*$'\n'}"; else not_ok "$name: ${text##*$'\n'}" "$text"; fi
}
