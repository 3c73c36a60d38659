#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What holm says when something is wrong: one line, with the place and the cause; and that nothing is left of it.
# where: host
. "$(dirname "$0")/lib.sh"
is_holm || skip_all 'about holm alone'

# said REGEX NAME: the last error is one line that matches, and begins as all do
error_of() {
	holm run "$id" 2>&1 >/dev/null </dev/null
}
one_line() {
	local text
	text=$(error_of)
	is "$1: one line" "$(printf '%s\n' "$text" | wc -l)" 1
	like "$1: says what and where" "$text" "$2"
}

bundle '.process.rlimits = [{"type": "RLIMIT_NOFILE", "soft": 1, "hard": 1}, {"type": "RLIMIT_FOO", "soft": 1, "hard": 1}]'
one_line 'an unknown name' "config.json: process.rlimits\[1\].type: .*'RLIMIT_FOO'"
bundle '.mounts[2].destination = 5'
one_line 'a wrong type' 'config.json: mounts\[2\].destination'
bundle '.linux.resources.pids.limit = "many"'
one_line 'a wrong type far below' 'config.json: linux.resources.pids.limit'
bundle '.process.user.uid = -1'
one_line 'a number out of range' 'config.json: process.user.uid'
bundle '.ociVersion = "2.0.0"'
one_line 'another major version' 'config.json: ociVersion.*2\.0\.0'
bundle 'del(.ociVersion)'
one_line 'a missing key' 'config.json: ociVersion'
bundle
sed -i '5s/$/,,/' "$bundle/config.json"
one_line 'no JSON' 'config.json:.*line 5|config.json:5'
bundle
rm "$bundle/config.json"
one_line 'no config.json' "config.json.*no such file"
bundle
rmdir "$work/none" 2>/dev/null
refuses 'no bundle' "$work/none.*no such file" "$HOLM" --root "$state" run --bundle "$work/none" "$id"
bundle -- /bin/absent
one_line 'no program' "/bin/absent.*[Nn]o such file"
bundle '.linux.resources.memory.limit = 4096'
one_line 'too little memory' 'memory'
bundle '.mounts += [{"destination": "/a/b", "type": "nosuchfs", "source": "x"}]'
one_line 'an unknown file system' "/a/b|mounts\[6\]"
bundle '.unheard = {"of": 1} | .process.unheard = 2'
is 'unknown keys are no error' "$(holm run "$id" >/dev/null 2>&1; echo $?)" 0

like 'no command is help and no error' "$("$HOLM"; echo "status $?")" 'run.*status 0'
"$HOLM" no-such-verb >"$work/out" 2>&1
is 'an unknown command: exit status 3' $? 3
"$HOLM" run --no-such-option x >"$work/out" 2>&1
is 'an unknown option: exit status 1' $? 1
like 'an unknown option is named' "$(cat "$work/out")" 'no-such-option'
refuses 'too few operands' . "$HOLM" --root "$state" run
refuses 'too many operands' . "$HOLM" --root "$state" state a b
refuses 'an unknown container' "does not exist" holm state nobody-here

# The log
bundle -- /bin/absent
"$HOLM" --root "$state" --log "$work/log" --log-format json run --bundle "$bundle" "$id" >/dev/null 2>&1
is 'one JSON object in the log' "$(jq -s length "$work/log")" 1
fact 'with level, message and time' "$(cat "$work/log")" '[.level, (.msg | contains("/bin/absent")), (.time | test("^[0-9]{4}-.*T.*"))]' '["error",true,true]'
