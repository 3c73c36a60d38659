#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Buildah, with images made from nothing.
# timeout: 100
# shellcheck disable=SC2034 # lib.sh reads it
needs=(buildah skopeo)
# shellcheck source=tests/engines/lib.sh
. "$(dirname "$0")/lib.sh"

podman_conf >/run/engine/containers.conf
export CONTAINERS_CONF=/run/engine/containers.conf BUILDAH_ISOLATION=oci BUILDAH_RUNTIME=$runtime
buildah() {
	timeout -k 1 $((60 * HOLM_TIMESCALE)) /usr/bin/buildah "$@"
}
echo "# $(buildah --version | cut -d ' ' -f 1-3), $("$runtime" --version | head -n 1)"

check 'from scratch' buildah from --name base scratch
check 'copy' buildah copy base "$image_root" /
check 'config' buildah config --env PATH=/bin --cmd /bin/sh base
exits 'run' 0 '^hello$' buildah run base -- echo hello
exits 'run: status of the payload' 9 '' buildah run base -- sh -c 'exit 9'
exits 'run: command not found' '1|125|127' 'not found|no such file' buildah run base -- nosuch
exits 'run: not executable' '1|125|126' 'permission denied' buildah run base -- /etc/text
is 'run: input' "$(echo text | buildah run base -- cat)" text
is 'run -t: a terminal' "$(on_terminal timeout 30 buildah run -t base -- tty)" /dev/pts/0
check 'run: something stays' buildah run base -- sh -c 'echo made >/made'
exits 'run: it stayed' 0 '^made$' buildah run base -- cat /made
exits 'run --user' 0 '^1000$' buildah run --user user base -- id -u
exits 'run --env' 0 '^v$' buildah run --env K=v base -- sh -c 'echo $K'
mkdir folder && echo outside >folder/file
exits 'run -v' 0 '^outside$' buildah run -v "$PWD/folder:/mnt:ro" base -- cat /mnt/file
exits 'run --mount tmpfs' 0 'tmpfs' buildah run --mount type=tmpfs,target=/scratch base -- grep scratch /proc/mounts
exits 'run --cap-drop' 0 'CapEff:.0000' buildah run --cap-drop CAP_CHOWN base -- grep CapEff /proc/self/status
exits 'run --hostname' 0 '^reef$' buildah run --hostname reef base -- hostname
exits 'run --network none' 0 '^lo$' buildah run --network none base -- ls /sys/class/net
exits 'run --isolation chroot needs no runtime' 0 '^hello$' buildah run --isolation chroot base -- echo hello
check 'commit' buildah commit base isle
printf 'FROM localhost/isle\nARG WHAT=nothing\nRUN echo $WHAT >/built\nRUN --mount=type=cache,target=/cache touch /cache/x\nUSER user\nRUN id -u >/tmp/who\n' >Containerfile
check 'bud' buildah bud -t isle2 --build-arg WHAT=something --runtime "$runtime" .
check 'from what was built' buildah from --name second localhost/isle2
exits 'what was built' 0 '^something.1000$' buildah run second -- cat /built /tmp/who
printf 'FROM localhost/isle\nRUN exit 3\n' >Containerfile.bad
exits 'a RUN that fails ends the build' '[1-9].*' 'exit status 3|while running' buildah bud -f Containerfile.bad --runtime "$runtime" .
printf 'FROM localhost/isle AS one\nRUN echo first >/first\nFROM localhost/isle\nCOPY --from=one /first /second\nRUN cat /second\n' >Containerfile.two
exits 'two stages' 0 'first' buildah bud -f Containerfile.two --runtime "$runtime" .
check 'bud with limits' buildah bud --memory 64m --cpu-quota 50000 --ulimit nofile=100:100 --runtime "$runtime" -f Containerfile.two .
differs runc 'bud with limits' 'gives up on a limit that root may not raise here'
check 'skopeo reads it' skopeo copy -q containers-storage:localhost/isle2 "oci:$work/layout:two"
check 'rm' buildah rm -a
is 'no container is left' "$(buildah containers -q)" ''
is 'the runtime has no record left' "$(find /run -name state.json)" ''
