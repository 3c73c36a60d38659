#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Podman as an ordinary user.
# timeout: 150
# shellcheck disable=SC2034 # lib.sh reads it
needs=(podman conmon newuidmap slirp4netns fuse-overlayfs setpriv)
# shellcheck source=tests/engines/lib.sh
. "$(dirname "$0")/lib.sh"

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
cat >/run/engine/containers.conf <<CONF
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "$RUNTIME"
runtime_supports_json = ["holm", "runc", "crun"]
runtime_supports_nocgroup = ["holm", "crun"]
[engine.runtimes]
$RUNTIME = ["$runtime"]
[containers]
log_driver = "k8s-file"
CONF
as_user=(setpriv --reuid 4711 --regid 4711 --init-groups env HOME=/home/sailor USER=sailor XDG_RUNTIME_DIR=/run/user/4711
	CONTAINERS_CONF=/run/engine/containers.conf DOCKER_CONFIG=/home/sailor timeout -k 1 60)
echo '{}' >/home/sailor/config.json
chown 4711:4711 /home/sailor/config.json
podman() {
	"${as_user[@]}" podman "$@"
}
differs runc 'run --cgroups=disabled' "runc can't"
run() {
	podman run --rm "$@" </dev/null
}

echo "# $(podman --version), $("$runtime" --version | head -n 1)"
tar -C "$image_root" -cf image.tar .
chmod 644 image.tar
check 'import an image' podman import -c 'CMD ["/bin/sh"]' -c 'ENV PATH=/bin' image.tar isle
is 'info: rootless, and the runtime' "$(podman info --format '{{.Host.Security.Rootless}} {{.Host.OCIRuntime.Name}}' 2>&1)" "true $RUNTIME"

exits 'run: output and status 0' 0 '^hello$' run isle echo hello
exits 'run: status of the payload' 9 '' run isle sh -c 'exit 9'
exits 'run: command not found is 127' 127 'not found|no such file' run isle nosuch
exits 'run: not executable is 126' 126 'permission denied' run isle /etc/text
exits 'root inside, the user outside' 0 '^0 0 4711 1$' run isle sh -c 'echo $(id -u) $(head -n 1 /proc/self/uid_map)'
exits 'many ids' 0 '^1000$' run -u user isle id -u
exits 'run --userns=keep-id' 0 '^4711$' run --userns=keep-id isle id -u
is 'run -i: input' "$(echo text | podman run --rm -i isle cat)" text
is 'run -t: a terminal' "$(on_terminal "${as_user[@]}" podman run --rm -t isle tty)" /dev/pts/0
"${as_user[@]}" sh -c "mkdir $work/folder && echo outside >$work/folder/file"
exits 'run -v: what the user owns is root'"'"'s' 0 '^0 outside$' run -v "$work/folder:/mnt" isle sh -c 'echo $(stat -c %u /mnt/file) $(cat /mnt/file)'
exits 'run -v: read-only' 1 'Read-only' run -v "$work/folder:/mnt:ro" isle touch /mnt/file
exits 'run --read-only --tmpfs' 0 'Read-only.*written' run --read-only --tmpfs /scratch isle \
	sh -c 'touch /file; touch /scratch/file && echo written'
check 'volume create' podman volume create v1
exits 'a volume gets what the image has there' 0 '^of the image$' run -v v1:/data isle cat /data/file
exits 'run --cap-drop all' 0 '^CapEff:.0000000000000000$' run --cap-drop all isle grep CapEff /proc/self/status
exits 'the default seccomp profile is on' 0 'Seccomp:.2' run isle grep Seccomp: /proc/self/status
exits 'run --privileged' 0 '^0$' run --privileged isle id -u
exits 'run --init' 0 'catatonit|podman-init' run --init isle cat /proc/1/comm
exits 'run --network none' 0 '^lo$' run --network none isle ls /sys/class/net
exits 'run --network host' 0 '' run --network host isle true
exits 'run --network slirp4netns' 0 'tap0' run --network slirp4netns isle ls /sys/class/net
exits 'run --hostname, --sysctl' 0 '^reef 17$' run --hostname reef --sysctl net.ipv4.ip_default_ttl=17 isle \
	sh -c 'echo $(hostname) $(cat /proc/sys/net/ipv4/ip_default_ttl)'
exits 'run --pid host' 0 '' run --pid host isle true
exits 'run --device' 0 'fuse' run --device /dev/fuse isle ls /dev/fuse
exits 'run --cgroups=disabled' 0 '^yes$' run --cgroups=disabled isle echo yes

check 'run -d' podman run -d --name c1 -p 127.0.0.1:8080:80 isle httpd -f -p 80 -h /www
like 'ps' "$(podman ps --format '{{.Names}} {{.Status}}')" 'c1 Up'
check 'a published port answers' wait_for 5 curl -sf http://127.0.0.1:8080/index.html
is 'exec' "$(podman exec c1 cat /www/index.html)" 'a page'
is 'exec -t' "$(on_terminal "${as_user[@]}" podman exec -t c1 tty)" /dev/pts/0
exits 'exec: status' 5 '' podman exec c1 sh -c 'exit 5'
exits 'exec: user' 0 '^1000$' podman exec -u user c1 id -u
like 'top' "$(podman top c1)" 'httpd -f'
check 'cp into it' podman cp image.tar c1:/copied
check 'stop' podman stop -t 1 c1
check 'start again' podman start c1
check 'kill' podman kill c1
is 'kill: wait gives 137' "$(podman wait c1)" 137
is 'logs' "$(podman run --name c2 isle echo said >/dev/null; podman logs c2)" said
check 'pod' eval 'podman pod create --name p1 --infra=false && podman run --rm --pod p1 isle true && podman pod rm -f p1'
printf 'FROM isle\nRUN echo built >/built\n' >Containerfile
chmod 644 Containerfile
check 'build with RUN' podman build -q -t isle3 -f "$work/Containerfile" "$work/folder"
exits 'what was built' 0 '^built$' run isle3 cat /built
check 'rm' podman rm -f c1 c2
is 'no container is left' "$(podman ps -aq)" ''
