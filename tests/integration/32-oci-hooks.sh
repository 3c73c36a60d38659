#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Hooks: section C of tests/oci-checklist.md.
# where: host
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/oci.sh"
is_holm || skip_all 'about holm alone'

log=$work/log
# A hook that appends a line to the log: its name, and what the rest prints.  hook KIND [SHELL] is a member of .hooks
hook() {
	jq -cn --arg kind "$1" --arg script "cat >$work/state-$1; { echo -n '$1 '; ${2:-echo}; } >>$log" \
		'{($kind): [{path: "/bin/sh", args: ["the-hook", "-c", $script], env: ["PATH=/usr/bin:/bin", "KIND=\($kind)"]}]}'
}
line() {
	grep "^$1 " "$log" | cut -d ' ' -f 2-
}

# Items 32, 33: the order
filter='.hooks = {}'
for kind in poststop poststart createContainer createRuntime prestart; do
	filter+=" | .hooks += $(hook $kind 'echo "$(readlink /proc/self/ns/mnt) $(readlink /proc/self/ns/pid) $$ $(pwd) $(ls -d bin/probe 2>/dev/null)"')"
done
filter+=' | .hooks.startContainer = [{"path": "/bin/sh", "args": ["sh", "-c", "cat >/state; echo $$ $(pwd) $ONLY $HOME >/hook; exec id -u >>/hook"]}]'
filter+=" | .hooks.createRuntime += [{\"path\": \"/bin/sh\", \"args\": [\"sh\", \"-c\", \"echo second >>$log\"]}]"
bundle "$filter" '.process.env += ["ONLY=payload"] | .process.user = {"uid": 0} | .annotations = {"a\"b": "c"}' -- sh -c 'echo payload >/ran; exec sleep 1000'
own_root
check 'create' create
is 'at create, in order' "$(cut -d ' ' -f 1 "$log" | xargs)" 'prestart createRuntime second createContainer'
pid=$(pid_of)
check 'start' holm start "$id"
is 'at start' "$(cut -d ' ' -f 1 "$log" | tail -n 1)" poststart
is 'poststart comes when the program runs' "$(cat "$root/ran")" payload
holm delete --force "$id"
is 'at delete' "$(cut -d ' ' -f 1 "$log" | tail -n 1)" poststop

# Items 34, 35, 36, 37, 38: where
host="$(readlink /proc/self/ns/mnt) $(readlink /proc/self/ns/pid)"
for kind in prestart createRuntime poststart poststop; do
	is "$kind runs on the host" "$(line $kind | cut -d ' ' -f 1,2)" "$host"
	is "$kind runs in the bundle" "$(line $kind | cut -d ' ' -f 4)" "$bundle"
done
isnt 'createContainer: in the mount namespace of the container' "$(line createContainer | cut -d ' ' -f 1)" "${host% *}"
isnt 'createContainer: in its pid namespace' "$(line createContainer | cut -d ' ' -f 2)" "${host#* }"
is 'createContainer: in the root, before it is the root' "$(line createContainer | cut -d ' ' -f 5)" bin/probe
like 'startContainer: in the container, with the environment of the process' "$(head -n 1 "$root/hook")" '^[0-9]+ / payload'

# Items 41, 42, 9: the state
for kind in prestart:creating createRuntime:creating createContainer:creating poststart:running poststop:stopped; do
	text=$(cat "$work/state-${kind%:*}")
	fact "${kind%:*}: version, id, status, bundle, annotations" "$text" '[(.ociVersion | startswith("1.")), .id, .status, .bundle, .annotations]' \
		"[true,\"$id\",\"${kind#*:}\",\"$bundle\",{\"a\\\"b\":\"c\"}]"
	is "${kind%:*}: on one line" "$(wc -l <<<"$text")" 1
done
text=$(cat "$root/state")
fact 'startContainer: created' "$text" '[.id, .status, .pid]' "[\"$id\",\"created\",1]"
for kind in prestart createRuntime poststart; do
	fact "$kind: the pid on the host" "$(cat "$work/state-$kind")" .pid "$pid"
done
fact 'createContainer: the pid in the container' "$(cat "$work/state-createContainer")" .pid 1
fact 'poststop: no pid, or 0' "$(cat "$work/state-poststop")" '.pid // 0' 0

# Items 45, 46: arguments and environment, exactly
rm -f "$log"
cat >"$work/show" <<'X'
#!/bin/sh
/usr/bin/tr '\0' '\n' </proc/$$/environ >"$1"
X
chmod +x "$work/show"
cp "$probe" "$work/show-probe"
for kind in prestart createRuntime poststart poststop; do
	bundle ".hooks.$kind = [{\"path\": \"$work/show\", \"args\": [\"zero\", \"$work/env-$kind\"], \"env\": [\"A=1\", \"B=two words\"]}]"
	GREETING=leak holm run "$id" >/dev/null 2>&1
	is "$kind: exactly the environment given" "$(xargs <"$work/env-$kind")" 'A=1 B=two words'
done
cat >"$work/wrap" <<X
#!/bin/sh
exec "$work/show-probe" args env fds signals >"$work/report"
X
chmod +x "$work/wrap"
bundle ".hooks.createRuntime = [{\"path\": \"$work/wrap\", \"args\": [\"other name\", \"x y\", \"\"]}]"
GREETING=leak holm run "$id" 3</dev/null 7</dev/null
text=$(cat "$work/report")
fact 'no environment is an empty one' "$text" '[.env[] | select(startswith("PWD=") or startswith("_=") or startswith("SHLVL=") or startswith("OLDPWD=") | not)]' '[]'
fact 'three descriptors' "$text" '.fds | keys' '["0","1","2"]'
fact 'no signal ignored or blocked' "$text" '[.signals.ignored, .signals.blocked]' '[[],[]]'
bundle ".hooks.createRuntime = [{\"path\": \"/bin/sh\", \"args\": [\"zero\", \"-c\", \"echo \$0 \$1 \$2 >$work/args\", \"one\", \"two words\"]}]"
bundle ".hooks.createRuntime = [{\"path\": \"/bin/sh\", \"args\": [\"sh\", \"-c\", \"echo \\\"\$0|\$1|\$2\\\" >$work/args\", \"zero\", \"two words\", \"\"]}]"
holm run "$id"
is 'the arguments' "$(cat "$work/args")" 'zero|two words|'
bundle ".hooks.createRuntime = [{\"path\": \"/bin/true\"}]"
check 'no arguments at all' holm run "$id"

# Item 39: one that fails ends create, and everything is undone; poststop runs
for kind in prestart createRuntime createContainer; do
	rm -f "$work/poststop" "$work/second"
	bundle ".hooks.$kind = [{\"path\": \"/bin/sh\", \"args\": [\"sh\", \"-c\", \"echo the reef >&2; echo is closed >&2; exit 3\"]}, {\"path\": \"/bin/touch\", \"args\": [\"touch\", \"$work/second\"]}]
		| .hooks.poststop = [{\"path\": \"/bin/touch\", \"args\": [\"touch\", \"$work/poststop\"]}]"
	still_refused "a failing $kind: its place, status and words" "hooks?.*$kind\[0\].*/bin/sh.*status 3.*the reef.*is closed"
	is "a failing $kind: the next one does not run" "$(ls "$work/second" 2>/dev/null)" ''
	is "a failing $kind: nothing is left" "$(left_behind)" ''
	is "a failing $kind: poststop runs" "$(ls "$work/poststop" 2>/dev/null)" "$work/poststop"
	bundle ".hooks.$kind = [{\"path\": \"/bin/sh\", \"args\": [\"sh\", \"-c\", \"kill -SEGV \$\$\"]}]"
	still_refused "a $kind that is killed" "$kind.*(SIGSEGV|signal 11)"
done
# Item 40
bundle '.hooks.startContainer = [{"path": "/bin/sh", "args": ["sh", "-c", "echo the reef >&2; exit 3"]}]' -- echo ran
one_line_refusal 'a failing startContainer under run' "startContainer\[0\].*status 3.*the reef" 1 holm run "$id"
is 'leaves nothing' "$(left_behind)" ''
create
one_line_refusal 'a failing startContainer under start' "startContainer\[0\].*status 3.*the reef" 1 holm start "$id"
wait_status stopped
is 'the container is stopped' "$(status_of)" stopped
is 'the program did not run' "$(cat "$work/$id.out")" ''
holm delete "$id"
# Item 37: a failing poststart is an error and ends the container
bundle '.hooks.poststart = [{"path": "/bin/sh", "args": ["sh", "-c", "echo the reef >&2; exit 3"]}]' -- sleep 1000
one_line_refusal 'a failing poststart under run' "poststart\[0\].*status 3.*the reef" 1 holm run "$id"
is 'leaves nothing' "$(left_behind)" ''
create
one_line_refusal 'a failing poststart under start' "poststart\[0\].*status 3.*the reef" 1 holm start "$id"
check 'and the container is killed' wait_status stopped
holm delete "$id"
# Item 38: a failing poststop is a warning
bundle ".hooks.poststop = [{\"path\": \"/bin/false\"}, {\"path\": \"/bin/touch\", \"args\": [\"touch\", \"$work/after\"]}]"
text=$(holm run "$id" 2>&1)
is 'a failing poststop does not fail run' $? 0
like 'it is a warning' "$text" 'level=warning.*poststop\[0\].*/bin/false'
is 'the next one runs' "$(ls "$work/after")" "$work/after"
create
holm start "$id"
wait_status stopped
check 'nor delete' holm delete "$id"

# Items 43, 44
for kind in prestart createRuntime createContainer startContainer poststart poststop; do
	refused "$kind: a relative path" "config.json: hooks.$kind\[0\].path: " ".hooks.$kind = [{\"path\": \"bin/true\"}]"
	refused "$kind: no path" "config.json: hooks.$kind\[0\].path: " ".hooks.$kind = [{}]"
	[ $kind = poststop ] || refused "$kind: not there" "$kind.*/not/there.*[Nn]o such file" ".hooks.$kind = [{\"path\": \"/not/there\"}]"
done
refused 'not executable' 'createRuntime.*/etc/passwd.*[Pp]ermission denied' '.hooks.createRuntime = [{"path": "/etc/passwd"}]'

# Item 47
for value in 0 -1 1.5 '"1"' 4294967296; do
	refused "timeout $value" 'config.json: hooks.createRuntime\[0\].timeout: ' ".hooks.createRuntime = [{\"path\": \"/bin/true\", \"timeout\": $value}]"
done
pids=()
for kind in prestart createContainer startContainer; do
	bundle ".hooks.$kind = [{\"path\": \"/bin/sleep\", \"args\": [\"sleep\", \"1000\"], \"timeout\": 1}]"
	(one_line_refusal "$kind is killed after its time" "$kind.*/bin/sleep.* 1 s" 1 holm run "$id" | sed 's/^\(not \)\?ok [0-9]*/\1ok/' >"$work/timeout-$kind") &
	pids+=($!)
done
wait "${pids[@]}"
for kind in prestart createContainer startContainer; do
	if grep -q '^ok' "$work/timeout-$kind"; then ok "$kind is killed after its time"; else not_ok "$kind is killed after its time" "$(cat "$work/timeout-$kind")"; fi
done
# Nor does it gain time by never being silent.
for kind in createRuntime createContainer; do
	bundle ".hooks.$kind = [{\"path\": \"/bin/sh\", \"args\": [\"sh\", \"-c\", \"exec yes >&2\"], \"timeout\": 1}]"
	one_line_refusal "$kind is killed after its time, however much it says" "$kind.*/bin/sh.* 1 s" 1 timeout 20 "$HOLM" --root "$state" run --bundle "$bundle" "$id"
done
bundle '.hooks.createRuntime = [{"path": "/bin/true", "timeout": 5}]' -- echo fine
is 'one that is done in time' "$(holm run "$id")" fine
