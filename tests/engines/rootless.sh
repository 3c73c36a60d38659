#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Podman as an ordinary user.
# timeout: 150
# shellcheck disable=SC2034 # lib.sh reads it
needs=(podman conmon newuidmap slirp4netns fuse-overlayfs setpriv)
# shellcheck source=tests/engines/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/engines/life.sh
. "$OLDPWD/tests/engines/life.sh"

# The user, with ids of its own and without a session.
echo 'sailor:x:4711:4711::/home/sailor:/bin/sh' >>/etc/passwd
echo 'sailor:x:4711:' >>/etc/group
echo 'sailor:300000:65536' >>/etc/subuid
echo 'sailor:300000:65536' >>/etc/subgid
install -d -o 4711 -g 4711 -m 700 /home/sailor /run/user/4711
chmod 755 /run /run/user "$HOLM_TEST_DIR" "$work"
[ -e /dev/net/tun ] && [ -e /dev/fuse ] || skip_all 'no /dev/net/tun or /dev/fuse'
mknod -m 666 /run/engine/tun c 10 200
mount --bind /run/engine/tun /dev/net/tun
mknod -m 666 /run/engine/fuse c 10 229
mount --bind /run/engine/fuse /dev/fuse
chown 4711:4711 "$work"
podman_conf >/run/engine/containers.conf
as_user=(setpriv --reuid 4711 --regid 4711 --init-groups env HOME=/home/sailor USER=sailor XDG_RUNTIME_DIR=/run/user/4711
	CONTAINERS_CONF=/run/engine/containers.conf DOCKER_CONFIG=/home/sailor timeout -k 1 $((60 * HOLM_TIMESCALE)))
echo '{}' >/home/sailor/config.json
chown 4711:4711 /home/sailor/config.json
words=("${as_user[@]}" /usr/bin/podman)
engine() {
	"${words[@]}" "$@"
}
run() {
	engine run --rm "$@" </dev/null
}
differs runc 'run --cgroups=disabled' "runc can't"

echo "# $(engine --version), $("$runtime" --version | head -n 1)"
import_image
is 'info: rootless, and the runtime' "$(engine info --format '{{.Host.Security.Rootless}} {{.Host.OCIRuntime.Path}}' 2>&1)" "true $runtime"

run_checks
exits 'root inside, the user outside' 0 '^0 0 4711 1$' run isle sh -c 'echo $(id -u) $(head -n 1 /proc/self/uid_map)'
exits 'many ids' 0 '^1000$' run -u user isle id -u
exits 'run --userns=keep-id' 0 '^4711$' run --userns=keep-id isle id -u
"${as_user[@]}" sh -c "mkdir $work/own && echo outside >$work/own/file"
exits 'run -v: what the user owns is root'"'"'s' 0 '^0 outside$' run -v "$work/own:/mnt" isle sh -c 'echo $(stat -c %u /mnt/file) $(cat /mnt/file)'
exits 'run --privileged' 0 '^0$' run --privileged isle id -u
exits 'run --network slirp4netns' 0 'tap0' run --network slirp4netns isle ls /sys/class/net
exits 'run --pid host' 0 '' run --pid host isle true
exits 'run --cgroups=disabled' 0 '^yes$' run --cgroups=disabled isle echo yes
exits 'limits on a hybrid host: ignored, with a warning of Podman'"'"'s' 0 'not supported and ignored' run -m 20m isle true

server_checks
end_checks
check 'pod' eval 'engine pod create --name p1 --infra=false && run --pod p1 isle true && engine pod rm -f p1'
build_checks
many_checks
