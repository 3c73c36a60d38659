#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# containerd's CRI plugin, called as the kubelet does, runs holm.
# timeout: 240
# where: host engines
exec "$(dirname "$0")/../engines/cri.sh"
