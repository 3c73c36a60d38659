#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A container whose root holm makes: killed at each system call, and each of them fails once: nothing stays behind, nor in the data folder.
# timeout: 330
. "$(dirname "$0")/lib.sh"
. tests/crash/lib.sh
[[ $BUILD != *sanitize* ]] || skip_all 'sanitizers do not work under ptrace'

# Beneath the folder whose files are compared before and after.
data=$work/crash/data
mkdir -m 700 "$data" "$data/instances"
two_bundles '.holm.storage.volatile = true'
for verb in create run delete delete-force; do
	stepped "holm is killed: $verb" 3 kill holm $verb
done
for verb in create run delete-force; do
	stepped "a call of holm's fails: $verb" 3 fail holm $verb
done
