#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The same commands given to holm and to runc.
# timeout: 200
# where: host engines
exec "$(dirname "$0")/../engines/commands.sh"
