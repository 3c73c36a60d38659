#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Podman and Docker on cgroup v2 without systemd, so that a cgroup is there until its container is deleted: an OOM kill is always told as one.
# timeout: 100
# shellcheck disable=SC2034 # lib.sh reads it
needs=(podman conmon dockerd containerd)
# shellcheck source=tests/engines/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/engines/life.sh
. "$OLDPWD/tests/engines/life.sh"

podman_conf >/run/engine/containers.conf
export CONTAINERS_CONF=/run/engine/containers.conf
engine() {
	timeout -k 1 100 /usr/bin/podman "$@" </dev/null
}
echo "# $(engine --version), $("$runtime" --version | head -n 1)"
import_image
oom_checks 'podman: '

dockerd --add-runtime "under-test=$runtime" --default-runtime under-test --storage-driver overlay2 --bridge none --iptables=false \
	--oom-score-adjust 0 >/run/engine/dockerd.log 2>&1 &
dockerd=$!
engine() {
	timeout -k 1 100 /usr/bin/docker "$@" </dev/null
}
check 'docker: dockerd starts' wait_for 30 engine version || tail -n 20 /run/engine/dockerd.log
is 'docker: cgroups' "$(engine info --format '{{.CgroupDriver}} {{.DefaultRuntime}}' 2>/dev/null)" 'cgroupfs under-test'
import_image
oom_checks 'docker: '
kill $dockerd
wait $dockerd
