#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The same bundles under holm, runc and crun, compared field by field (differential.py).
# timeout: 300
# STEP=1 MANY=1 compares all.
# shellcheck disable=SC2034 # lib.sh reads it
needs=(runc crun python3)
# shellcheck source=tests/engines/lib.sh
. "$(dirname "$0")/lib.sh"

ln -s passwd "$image_root/etc/link"
ln -s ../../../../tmp "$image_root/etc/out"
cd "$checkout" || exit 1
mkdir "$work/hybrid" "$work/v2"
compare() { # FOLDER OTHER...: its lines, numbered on
	local folder=$1
	shift
	{ python3 tests/engines/differential.py "$probe" "$image_root" "$folder" "$runtime" "$@" 2>&1 || echo "not ok 0 - differential.py"; } |
		tee "$folder/log" | sed -u "s/^\(\(not \)\?ok\) [0-9]* -/\1 - ${folder##*/}:/"
	result_count=$((result_count + $(grep -c '^ok\|^not ok' "$folder/log")))
}
# crun refuses hybrid hosts, so it is compared where only cgroup v2 is mounted, without controllers.
echo "# $(runc --version | head -n 1), $(crun --version | head -n 1), $("$runtime" --version | head -n 1)"
MANY=${MANY:-3} compare "$work/hybrid" "$(command -v runc)"
umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
MANY=${MANY:-3} STEP=${STEP:-5} compare "$work/v2" "$(command -v crun)" # 2.5 s each
