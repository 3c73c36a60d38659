#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# holm is killed at each of its system calls, and each of them fails once: nothing stays behind.
# timeout: 330
. "$(dirname "$0")/lib.sh"
. tests/crash/lib.sh
[[ $BUILD != *sanitize* ]] || skip_all 'sanitizers do not work under ptrace'

two_bundles '.linux.resources = {"memory": {"limit": 268435456}, "pids": {"limit": 100}}'
for verb in create run run-detached start exec exec-detached delete delete-force delete-created kill pause; do
	stepped "holm is killed: $verb" 2 kill holm $verb
done
for verb in create run run-detached start exec exec-detached delete delete-force delete-created kill pause; do
	stepped "a call of holm's fails: $verb" 2 fail holm $verb
done
