#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Podman, as root and as a user, and Docker run holm with cgroup v2 and systemd.
# timeout: 90
# where: systemd user
exec "$(dirname "$0")/../engines/v2.sh"
