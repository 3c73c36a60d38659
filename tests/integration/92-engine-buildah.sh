#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Buildah runs holm.
# timeout: 120
# where: host engines
exec "$(dirname "$0")/../engines/buildah.sh"
