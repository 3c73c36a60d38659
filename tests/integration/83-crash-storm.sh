#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Many at once: with ids of their own all succeed, with the same id one does, and a storm of verbs corrupts nothing.
# timeout: 330
. "$(dirname "$0")/lib.sh"
. tests/crash/lib.sh

bundle -- /bin/true
reporting=$bundle
bundle -- sleep 1000
staying=$bundle
stormed 'runs at once' many "$(part 500 $((500 / HOLM_TIMESCALE)))"
stormed 'creates, starts and deletes at once with one id' same 50
stormed 'a storm of verbs on two ids' mixed "$(part 120 15)"
config 'del(.linux.namespaces[] | select(.type == "pid"))'
stormed 'the same without a pid namespace' mixed "$(part 60 10)"
