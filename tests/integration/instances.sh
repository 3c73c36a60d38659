# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# For tests of instances, after lib.sh: a data folder of the test's own, and nothing of it that runs at the end.
data=$work/data

# on VERB [ARGUMENT]...: holm with this test's folders
on() {
	"$HOLM" --root "$state" --data "$data" "$@"
}

# launch NAME [OPTION]... -- COMMAND...: from the common root, without a network
launch() {
	local name=$1
	shift
	[ -d "$rootfs" ] || make_root "$rootfs"
	on launch --name "$name" --rootfs "$rootfs" --network none "$@" </dev/null
}

# monitors NAME: "KEEPER WORKER", by who executes the monitor for it
monitors() {
	local pid args
	for pid in $(pgrep -x holm-monitor); do
		args=$(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline")
		[[ $args != *" --data $data "*" supervise $1 " ]] || echo "$(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null | cut -d' ' -f2) $pid"
	done | sort -n | awk '{ parent[$2] = $1 } END { for (p in parent) if (parent[p] in parent) print parent[p], p }'
}

# has_ended NAME: nobody stays any more and the end is recorded
has_ended() {
	[ -e "$data/instances/$1/end.json" ] && ! pgrep -f -- "--data $data .* supervise $1\$" >/dev/null
}

wait_end() {
	wait_for 20 has_ended "$1"
}

# end NAME JQ: of how it ended the last time
end() {
	jq -rc "$2" "$data/instances/$1/end.json"
}

remove_instances() {
	local path
	for path in "$data"/instances/*; do
		[ ! -d "$path" ] || on remove --force "${path##*/}" >/dev/null 2>&1
	done
}
trap 'status=$?; remove_instances; (exit $status); finish' EXIT
