#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Docker runs holm.
# timeout: 240
# where: host engines
exec "$(dirname "$0")/../engines/docker.sh"
