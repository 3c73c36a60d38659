#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The same bundles under holm, runc and crun.
# timeout: 400
# where: host engines
exec "$(dirname "$0")/../engines/differential.sh"
