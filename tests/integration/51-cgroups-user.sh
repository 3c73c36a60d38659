#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The library of cgroups/ for an ordinary user, in what systemd delegates to him: directly, and by his own systemd.
# where: user
# timeout: 180
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cgroups.sh"

run_driver "$BUILD/tests/drive/cgroups" lib "$prefix"
run_driver "$BUILD/tests/drive/cgroups" systemd "$prefix"
