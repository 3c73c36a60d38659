#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# holm's networks beside Docker's.
# timeout: 160
# where: host
exec "$(dirname "$0")/../engines/network.sh"
