# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the files that follow tests/oci-checklist.md share beside lib.sh.  "# Items 1-3:" in them names that table's rows.

# one_line_refusal NAME REGEX STATUS COMMAND...: it ends with that status, and says one line that matches
one_line_refusal() {
	local name=$1 regex=$2 expected=$3 text status
	shift 3
	text=$("$@" 2>&1 >/dev/null </dev/null)
	status=$?
	if [ $status -ne "$expected" ]; then
		not_ok "$name" "exit status $status of: $*" "$text"
	elif [ "$(wc -l <<<"$text")" -ne 1 ] || [[ ! $text =~ $regex ]]; then
		not_ok "$name" "text: $text" "not one line that matches: $regex"
	else
		ok "$name"
	fi
}

# refused NAME REGEX [FILTER]... [-- ARGUMENT...]: such a bundle doesn't run, for a reason that matches; no container remains
refused() {
	local name=$1 regex=$2
	shift 2
	bundle "$@"
	still_refused "$name" "$regex"
}

# still_refused NAME REGEX: the same for the bundle made last
still_refused() {
	one_line_refusal "$1" "$2" 1 holm run "$id"
	[ ! -e "$state/$id" ] || not_ok "$1: the container is still there" "$(ls -la "$state/$id")"
}

# runs NAME EXPECTED [FILTER]... [-- ARGUMENT...]: such a bundle runs and prints that, blanks aside
runs() {
	local name=$1 expected=$2
	shift 2
	bundle "$@"
	is "$name" "$(holm run "$id" 2>&1 </dev/null | xargs)" "$expected"
}

# sees NAME SECTION JQ EXPECTED [FILTER]...: what the probe in such a bundle finds
sees() {
	local name=$1 section=$2 expression=$3 expected=$4
	shift 4
	bundle "$@"
	fact "$name" "$(probe_run "$section")" "$expression" "$expected"
}

# is_pure: cgroup v2 alone, without v1 controllers beside it
is_pure() {
	[ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]
}
