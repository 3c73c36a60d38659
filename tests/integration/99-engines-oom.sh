#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Podman and Docker tell an OOM kill as one, on cgroup v2.
# timeout: 40
# where: bare engines
exec "$(dirname "$0")/../engines/oom.sh"
