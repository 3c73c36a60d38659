#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# docs/engines.md typed as it stands there: its lines are read from it.  And the way back.
# timeout: 150
# shellcheck disable=SC2034 # lib.sh reads it
needs=(podman buildah conmon dockerd containerd ctr crun runc)
# shellcheck source=tests/engines/lib.sh
. "$(dirname "$0")/lib.sh"
[ "$RUNTIME" = holm ] || skip_all 'holm only'

# lines SECTION [FILE]: the first indented lines of a section
lines() {
	awk -v section="## $1" -v wanted=1 '/^## / { inside = $0 == section; block = 0 } !inside { next }
		/^    / { if (!was) block++; if (block == wanted) print substr($0, 5) } { was = /^    / }' "$checkout/docs/${2:-engines.md}"
}
mount -t tmpfs -o mode=755 bin /usr/local/bin
mount -t tmpfs -o mode=755 sbin /usr/local/sbin
install -m 755 "$runtime" /usr/local/bin/holm
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
tar -C "$image_root" -cf image.tar .

# --- Podman, Buildah -----------------------------------------------------------------------------------------------------

podman() {
	timeout -k 1 $((40 * HOLM_TIMESCALE)) /usr/bin/podman "$@" </dev/null
}
mkdir -p /etc/containers/containers.conf.d
printf '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n' >/etc/containers/containers.conf.d/sandbox.conf # no systemd here
rm -f /etc/containers/containers.conf
check 'podman: an image' podman import -c 'ENV PATH=/bin' image.tar isle
exits 'podman: once' 0 '^/usr/local/bin/holm$' bash -c 'podman --runtime /usr/local/bin/holm run --name once --network none isle true &&
	podman inspect -f "{{.OCIRuntime}}" once'
lines Podman >/etc/containers/containers.conf
is 'podman: three lines' "$(wc -l </etc/containers/containers.conf)" 3
is 'podman: by default' "$(podman info -f '{{.Host.OCIRuntime.Path}}')" /usr/local/bin/holm
check 'podman: it runs' podman run -d --name default --network none isle sleep 1000
is 'podman: whose it is' "$(podman inspect -f '{{.OCIRuntime}}' default)" /usr/local/bin/holm
sed -i '/^runtime = /d' /etc/containers/containers.conf
unlike 'podman: the way back' "$(podman info -f '{{.Host.OCIRuntime.Path}}')" holm
is 'podman: what runs keeps holm' "$(podman inspect -f '{{.OCIRuntime}}' default)" /usr/local/bin/holm
exits 'podman: and goes on' 0 '^of the image$' podman exec default cat /data/file
check 'podman: it ends' podman rm -f -t 0 default once
printf 'FROM isle\nRUN echo built >/built\n' >Containerfile
exits 'buildah: once' 0 '' buildah build --runtime /usr/local/bin/holm --isolation oci -t two .
eval "$(grep -o 'export BUILDAH_RUNTIME=[^`]*' "$checkout/docs/engines.md")"
is 'buildah: by default' "$BUILDAH_RUNTIME" /usr/local/bin/holm
exits 'buildah: it runs' 0 '' buildah build --isolation oci --no-cache -t three .
unset BUILDAH_RUNTIME

# --- Docker --------------------------------------------------------------------------------------------------------------

docker() {
	timeout -k 1 $((40 * HOLM_TIMESCALE)) /usr/bin/docker "$@" </dev/null
}
default_is() {
	[ "$(docker info -f '{{.DefaultRuntime}}' 2>/dev/null)" = "$1" ]
}
mkdir -p /etc/docker
rm -f /etc/docker/daemon.json
dockerd --oom-score-adjust 0 --bridge none --iptables=false --storage-driver overlay2 >/run/engine/dockerd.log 2>&1 &
dockerd=$!
check 'docker: starts, with runc' wait_for 20 default_is runc
check 'docker: an image' docker import -c 'ENV PATH=/bin' image.tar isle
lines Docker >/etc/docker/daemon.json
kill -HUP $dockerd # what reload does
check 'docker: two lines and a reload' wait_for 10 default_is holm
check 'docker: it runs' docker run -d --name one --network none isle sleep 1000
is 'docker: whose it is' "$(docker inspect -f '{{.HostConfig.Runtime}}' one)" holm
jq '."default-runtime" = "runc"' /etc/docker/daemon.json >new && cp new /etc/docker/daemon.json
kill -HUP $dockerd
check 'docker: the way back' wait_for 10 default_is runc
exits 'docker: what runs goes on' 0 '^of the image$' docker exec one cat /data/file
exits 'docker: and by name' 0 '^holm$' bash -c 'docker run --name two --runtime holm --network none isle true && docker inspect -f "{{.HostConfig.Runtime}}" two'
check 'docker: they go' docker rm -f one two
kill $dockerd
wait $dockerd

# --- containerd, runc's place ------------------------------------------------------------------------------------------------

mkdir -p /etc/containerd
{ echo 'version = 2' && lines containerd; } >/etc/containerd/config.toml
start_containerd() {
	containerd >/run/engine/containerd.log 2>&1 &
	containerd=$!
	wait_for 20 ctr version
}
like 'containerd: takes the lines' "$(containerd config dump)" 'runtimes.holm\].*BinaryName = "/usr/local/bin/holm"'
check 'containerd: starts with them' start_containerd
is 'containerd: its CRI, too' "$(ctr plugins ls | awk '$2 == "cri" { print $NF }')" ok
kill $containerd
wait $containerd
lines containerd kubernetes.md >/etc/containerd/config.toml
like "kubernetes.md's lines" "$(containerd config dump)" 'default_runtime_name = "runc".*runtimes.holm\].*BinaryName = "/usr/local/bin/holm"'
check 'kubernetes.md: containerd starts with them' start_containerd
is 'kubernetes.md: its CRI, too' "$(ctr plugins ls | awk '$2 == "cri" { print $NF }')" ok
oci_image image.tar test/isle:1 '["/bin/sh"]'
check 'containerd: an image' ctr images import image.tar
exits 'ctr: once' 0 '^hello$' timeout $((20 * HOLM_TIMESCALE)) ctr run --rm --runc-binary /usr/local/bin/holm test/isle:1 one echo hello
eval "$(lines "runc's place")"
like "runc's place" "$(runc --version)" '^holm version .*commit: .*spec: '
rm /usr/local/sbin/runc
hash -r
like "runc's place: the way back" "$(runc --version)" '^runc version'
kill $containerd
wait $containerd
