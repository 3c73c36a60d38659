# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# For tests that type what a page of documentation says; sourced after lib.sh.  The page's reader has a host of its own: a network
# namespace with an uplink, /run, /var/lib and /srv of its own, and first in its PATH the programs in $work/bin.  Names of instances
# are the page's, and cgroups have one tree: who runs such a test at the same time waits.
# shellcheck disable=SC2034,SC2154
[ "$(id -u)" -eq 0 ] || skip_all 'needs root'
command -v python3 >/dev/null || skip_all 'needs python3'
. tests/integration/net.sh
pages=$PWD/tests/integration/page.py
exec 8>"${TMPDIR:-/tmp}/holm-test-pages.lock"
flock 8
host h
outside h out
mkdir -p "$work"/{bin,run,lib,srv,home}
ln -s "$(readlink -f "$HOLM")" "$work/bin/holm"

# there COMMAND...: as the reader
there() {
	PATH=$work/bin:$PATH nsenter --net="$(ns_file h)" unshare --mount --propagation private sh -c '
		work=$1 && shift && mount --bind "$work/run" /run && mount --bind "$work/lib" /var/lib && mount --bind "$work/srv" /srv &&
		cd "$work/home" && exec "$@"' sh "$work" "$@" 8>&-
}

# page FILE: makes $work/page from it
page() {
	rm -rf "$work/page" && mkdir "$work/page"
	/usr/bin/python3 "$pages" blocks "$1" "$work/page"
}

# judge TITLE: each block of the page ran, and printed what the page shows
judge() {
	local block number title missing
	for block in "$work"/page/[0-9]*.sh; do
		number=${block%.sh}
		title="$1: $(grep -v -e '^cat >' -e '^mkdir' "$block" | head -n 1 | cut -c1-70)"
		if [ ! -e "$number.status" ]; then
			not_ok "$title" 'was not reached'
		elif [ "$(cat "$number.status")" != 0 ]; then
			not_ok "$title" "exit status $(cat "$number.status")" "$(tail -n 20 "$number.got")"
		elif missing=$(/usr/bin/python3 "$pages" compare "$number.want" "$number.got"); then
			ok "$title"
		else
			not_ok "$title" "$missing" 'it printed:' "$(cat "$number.got")"
		fi
	done
}

# Nothing of the reader's runs at the end.
leave() {
	local status=$?
	there holm remove --force --all >/dev/null 2>&1
	there sh -c 'for id in $(holm list -q); do holm delete --force "$id"; done' >/dev/null 2>&1
	remove_hosts
	(exit $status)
	finish
}
trap leave EXIT
