#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Podman of an ordinary user runs holm.
# timeout: 180
# where: host engines
exec "$(dirname "$0")/../engines/rootless.sh"
