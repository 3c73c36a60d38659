#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Podman runs holm.
# timeout: 240
# where: host engines
exec "$(dirname "$0")/../engines/podman.sh"
