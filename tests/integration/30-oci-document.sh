#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Bundle, versions, what is unknown: section A of tests/oci-checklist.md.
# where: host
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/oci.sh"
is_holm || skip_all 'about holm alone'

# Item 1: config.json of the bundle
runs 'the bundle is where config.json is' here -- echo here
is 'the current folder is the default bundle' "$(cd "$bundle" && "$HOLM" --root "$state" run "$id")" here
is 'a relative bundle' "$(cd "$work" && "$HOLM" --root "$state" run --bundle "${bundle##*/}" "$id")" here
rm "$bundle/config.json"
still_refused 'no config.json' "bundle '$bundle': read 'config.json': no such file"
mkdir "$bundle/config.json"
still_refused 'a folder in its place' "config.json"
bundle=$work/nowhere
still_refused 'no bundle' "$work/nowhere.*no such file"

# Item 2: what is not JSON
for text in '' '{' '[]' '"x"' 'null' '{"ociVersion": "1.0.0",}' '{"ociVersion": "1.0.0"} x' $'{"ociVersion": "1.0.0\x01"}' '{"a": 1, "a": 2, "ociVersion": "1.0.0"}'; do
	bundle
	printf '%s' "$text" >"$bundle/config.json"
	still_refused "not a configuration: '${text:0:30}'" 'config.json'
done
bundle
printf '{"ociVersion": "1.0.0", "x": "\xff"}' >"$bundle/config.json"
still_refused 'not UTF-8' 'config.json: line 1, column .*byte 0xff'
bundle
printf '\xef\xbb\xbf' | cat - "$bundle/config.json" >"$bundle/c" && mv "$bundle/c" "$bundle/config.json"
holm run "$id" >/dev/null 2>&1
like 'a byte order mark is taken or refused' $? '^[01]$'

# Items 3, 4: ociVersion
refused 'no version' 'config.json: ociVersion: ' 'del(.ociVersion)'
for version in '""' '"1"' '"1.0"' '"v1.0.0"' '"1.0.0.0"' '"01.0.0"' '"1.0.0-"' '"bogus"' '1' 'null' '"1.0.0 "'; do
	refused "version $version" 'config.json: ociVersion: ' ".ociVersion = $version"
done
for version in 0.9.0 2.0.0 10.0.0; do
	refused "another major version, $version" "config.json: ociVersion: .*$version" ".ociVersion = \"$version\""
done
for version in 1.0.0 1.0.0-rc5 1.0.2-dev 1.3.0 1.99.7 1.2.0+dev; do
	runs "version $version" fine ".ociVersion = \"$version\"" -- echo fine
done

# Item 5: unknown properties
unknown='.unknown = {"a": [1]}'
for place in process process.user root linux 'linux.resources' 'linux.resources.memory' 'mounts[0]' 'linux.namespaces[0]' 'process.rlimits[0]'; do
	unknown+=" | .$place.unheardOf = {\"a\": [1, null, \"x\"]}"
done
runs 'unknown properties everywhere' fine "$unknown" -- echo fine
is 'and nothing is said of them' "$(holm run "$id" 2>&1)" fine

# Items 6, 7, 9: annotations
bundle '.annotations = {"org.example.key": "value", "": "x"}'
still_refused 'an empty key' 'config.json: annotations'
for value in 1 true '{}' '[]'; do
	refused "an annotation that is $value" "config.json: annotations\\['org.example'\\]: must be a string" ".annotations = {\"org.example\": $value}"
done
bundle '.annotations = {"org.example.key": "va\"lue", "empty": "", "run.oci.keep_original_groups": "1", "org.systemd.property.MemoryMax": "1"}' -- id
create
text=$(holm state "$id")
fact 'annotations are in the state' "$text" '.annotations["org.example.key"]' 'va"lue'
fact 'an empty one too' "$text" '.annotations.empty' ''
# Item 10: none of them changes anything (but org.systemd.property.* under systemd)
check 'one that another runtime obeys is inert' holm start "$id"
wait_status stopped
is 'its output' "$(cat "$work/$id.out")" 'uid=0(root) gid=0(root)'
fact 'features knows which annotations matter' "$("$HOLM" features)" '.annotations | type' object

# Item 8: bad values of known properties, one of each kind; the JSON path leads to it
refused 'a string for a number' 'config.json: process.user.uid: ' '.process.user.uid = "0"'
refused 'a number for a string' 'config.json: root.path: ' '.root.path = 7'
refused 'an object for a list' 'config.json: mounts: ' '.mounts = {}'
refused 'a list for an object' 'config.json: process: ' '.process = []'
refused 'a number for a boolean' 'config.json: root.readonly: ' '.root.readonly = 1'
refused 'a fraction' 'config.json: process.user.gid: ' '.process.user.gid = 1.5'
refused 'a negative id' 'config.json: process.user.uid: ' '.process.user.uid = -1'
refused 'an id too many' 'config.json: process.user.uid: ' '.process.user.uid = 4294967296'
refused 'the id that means none' 'config.json: process.user.uid: ' '.process.user.uid = 4294967295'
refused 'a NUL in a string' 'config.json' '.hostname = "a\u0000b"'
refused 'a list with a null' 'config.json: process.args\[1\]: ' '.process.args = ["true", null]'
runs 'null is as good as nothing' fine '.hooks = null | .annotations = null | .linux.seccomp = null | .linux.resources = null' -- echo fine
runs 'a large document' fine '.annotations = ([range(3000)] | map({key: "org.example.\(.)", value: "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}) | from_entries)' -- echo fine
