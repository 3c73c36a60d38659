#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# holm answers CRI-O's calls.
# timeout: 120
# where: host engines
exec "$(dirname "$0")/../engines/crio.sh"
