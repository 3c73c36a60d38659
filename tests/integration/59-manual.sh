#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 300
#
# The examples of the manual's pages, typed as they stand, where what they name is there: images, a registry, another host.
. "$(dirname "$0")/lib.sh"
is_holm || skip_all 'about holm'
. tests/integration/page.sh
for tool in curl skopeo umoci podman; do command -v $tool >/dev/null || skip_all "needs $tool"; done

# --- what the examples name ---------------------------------------------------------------------------------------------------

# The registry is a folder, Debian's mirror the common root.
cat >"$work/bin/skopeo" <<P
#!/bin/bash
words=()
for word; do
	[ "\$word" != docker://registry.example/base/alpine:3 ] || word=oci:$work/registry:3
	words+=("\$word")
done
exec $(command -v skopeo) "\${words[@]}"
P
cat >"$work/bin/mmdebstrap" <<P
#!/bin/sh
exec tar -C "$rootfs" -c .
P
# The other host is another data folder.  It has the same cgroups and links, so what goes there has to stop here first.
cat >"$work/bin/ssh" <<'P'
#!/bin/sh
[ "$1" = other ] && [ "$2" = holm ] && shift 2 && cat >"$HOME/sent" || exit 1
holm stop --all && exec holm --root /run/other --data /var/lib/other "$@" <"$HOME/sent"
P
# A person is slower than a program, which finds a server that does not listen yet.
printf '#!/bin/sh\nexec %s -s --retry 20 --retry-all-errors "$@"\n' "$(command -v curl)" >"$work/bin/curl"
# Debian's podman, with folders of its own.
cat >"$work/bin/podman" <<P
#!/bin/sh
[ "\$1 \$2" = "--runtime /usr/local/bin/holm" ] && shift 2 || exit 1
podman="$(command -v podman) --root $work/podman --runroot $work/podman.run --storage-driver vfs --cgroup-manager cgroupfs"
tar -C "$rootfs" -c . | \$podman import -q - debian >/dev/null && shift && exec \$podman --runtime $work/bin/holm run --network none "\$@"
P
chmod 755 "$work"/bin/*
make_root "$rootfs"
mkdir -p "$rootfs/www"
echo welcome >"$rootfs/www/index.html"
printf '#!/bin/sh\nexec sh\n' >"$rootfs/bin/bash"
printf '#!/bin/sh\nexit 0\n' >"$rootfs/bin/apt-get"
chmod 755 "$rootfs/bin/apt-get" "$rootfs/bin/bash"
cp -a "$rootfs" "$work/srv/root"
tar -C "$rootfs" -cf "$work/root.tar" .
umoci init --layout "$work/registry" && umoci new --image "$work/registry:3" && umoci raw add-layer --image "$work/registry:3" "$work/root.tar" || not_ok 'a registry'
there ip link add eth0 type veth peer name eth1

# fixture IMAGE COMMAND ARGUMENT
fixture() {
	there holm image import -q --cmd "$2" --cmd "$3" - "$1" <"$work/root.tar" >/dev/null || not_ok "an image $1"
}
fixture web:1 sleep 1000
fixture postgres:16 sleep 1000
fixture app:3 probe ready
fixture debian:13 sleep 1000

# --- the pages ------------------------------------------------------------------------------------------------------------------

# Every display is typed in a folder where the ones before it were, at a terminal.
cat >"$work/type" <<'P'
export HOME=$PWD
for block in "$1"/page/[0-9]*.sh; do
	/usr/bin/python3 "$2" person bash -eo pipefail "$block" >"${block%.sh}.got" 2>&1
	echo $? >"${block%.sh}.status"
done
P
for file in man/*.[0-9]; do
	page "$file"
	if [ -z "$(ls "$work/page")" ]; then
		not_ok "${file##*/} has examples"
		continue
	fi
	case $file in
	*snapshot* | *network*) there holm launch --name web web:1 >/dev/null || not_ok 'an instance' ;;
	esac
	there bash "$work/type" "$work" "$pages" </dev/null
	judge "${file##*/}"
	there holm remove --force --all >/dev/null 2>&1
	there holm volume prune >/dev/null 2>&1
	there holm --root /run/other --data /var/lib/other remove --force --all >/dev/null 2>&1
done
