#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 400
#
# docs/tutorial.md, typed as it stands.  Only the making of the root goes to the outside: once per machine, as its result is kept.
. "$(dirname "$0")/lib.sh"
is_holm || skip_all 'about holm'
. tests/integration/page.sh
for tool in mmdebstrap curl; do command -v $tool >/dev/null || skip_all "needs $tool"; done
cache=${XDG_CACHE_HOME:-/var/cache}/holm-tests
mkdir -p "$cache"

# The reader's mmdebstrap: the real one, on this host, or what it made when it was asked for the same.
cat >"$work/bin/mmdebstrap" <<P
#!/bin/bash
set -e
key=\$({ printf '%s\n' "\$@"; cat ./*.py ./*.conf; } | sha256sum | cut -c1-16)
exec 7>"$cache/lock"
flock 7
if [ ! -e "$cache/tutorial-\$key.tar" ]; then
	rm -f "$cache"/tutorial-*
	nsenter --net=/proc/$$/ns/net --mount=/proc/$$/ns/mnt sh -c 'cd "\$1" && shift && exec "\$@"' sh "\$PWD" $(command -v mmdebstrap) "\$@" >"$cache/tutorial.part"
	mv "$cache/tutorial.part" "$cache/tutorial-\$key.tar"
fi
cat "$cache/tutorial-\$key.tar"
P
chmod 755 "$work/bin/mmdebstrap"

page docs/tutorial.md
cat >"$work/type" <<'P'
set -eo pipefail
for block in "$1"/page/[0-9]*.sh; do
	trap 'echo $? >"${block%.sh}.status"' EXIT
	. "$block" >"${block%.sh}.got" 2>&1
	echo 0 >"${block%.sh}.status"
	trap - EXIT
done
P
began=$EPOCHSECONDS
there bash "$work/type" "$work" </dev/null
echo "# $((EPOCHSECONDS - began)) s"
judge tutorial
is 'nothing of it is left' "$(find "$work/lib/holm/instances" "$work/lib/holm/layers" "$work/run/holm" -mindepth 1 -maxdepth 1 2>/dev/null |
	grep -v seccomp)$(find /sys/fs/cgroup -type d \( -name holm-db -o -name holm-app1 -o -name holm-web \) 2>/dev/null)" ''
