#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# containerd runs holm.
# timeout: 120
# where: host engines
exec "$(dirname "$0")/../engines/containerd.sh"
