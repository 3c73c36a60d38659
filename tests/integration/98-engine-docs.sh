#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# docs/engines.md, word by word.
# timeout: 170
# where: host engines
exec "$(dirname "$0")/../engines/docs.sh"
