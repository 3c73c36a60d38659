#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# maskedPaths and readonlyPaths.
# where: host
. "$(dirname "$0")/lib.sh"

bundle '.linux.maskedPaths = ["/proc/version", "/sys/kernel", "/secret", "/folder", "/not/there", "/dev/shm"]
	| .linux.readonlyPaths = ["/proc/sys", "/etc", "/not/there/too", "/tmp"]' -- sh -c '
	wc -c </proc/version; ls /sys/kernel | wc -l; cat /secret | wc -c; ls /folder | wc -l
	(echo x >/folder/new) 2>/dev/null || echo masked-ro
	(echo x >/secret) 2>/dev/null && echo null-takes-all
	(echo x >/etc/new) 2>/dev/null || echo etc-ro
	(echo x >/proc/sys/kernel/domainname) 2>/dev/null || echo sys-ro
	(echo x >/tmp/below/new) 2>/dev/null || echo below-ro'
own_root
mkdir "$root/folder" "$root/tmp/below"
echo hidden >"$root/secret"
echo hidden >"$root/folder/file"
is 'masked are empty, read-only are read-only, missing are skipped' "$(holm run "$id" | xargs)" \
	'0 0 0 0 masked-ro null-takes-all etc-ro sys-ro below-ro'
is 'a mask hides and destroys nothing' "$(cat "$root/secret" "$root/folder/file" | xargs)" 'hidden hidden'

bundle '.linux.maskedPaths = ["/link"]' -- sh -c 'cat /secret; cat /link'
own_root
echo hidden >"$root/secret"
ln -s /secret "$root/link"
like 'a mask follows a symlink only inside the root' "$(holm run "$id" 2>&1 | xargs)" '^(hidden hidden|)$'

bundle
text=$(probe_run mounts)
fact 'no mask is writable' "$text" '[.mounts[] | select(.target == "/sys/firmware" or .target == "/proc/acpi" or .target == "/proc/scsi") | .options | test("^ro")] | all'
fact 'a read-only path keeps nosuid, nodev, noexec of /proc' "$text" '[.mounts[] | select(.target == "/proc/sys") | .options | test("^ro")] | all'
