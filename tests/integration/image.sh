# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the tests of images share: a data folder of their own, $data.  Includes lib.sh.
# shellcheck disable=SC2034 # variables for the tests
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
is_holm || skip_all 'about holm'
[ "$(id -u)" -eq 0 ] || skip_all 'needs root'
data=$work/data

# image COMMAND [ARGUMENT]...
image() {
	"$HOLM" --data "$data" image "$@"
}

# layers_of IMAGE: their ids, lowest first
layers_of() {
	image inspect "$1" | jq -r '.[0].layers[].id'
}

# tree_of IMAGE [NUMBER]: the tree of its only, or NUMBERth, layer
tree_of() {
	echo "$data/layers/$(layers_of "$1" | sed -n "${2:-1}p")/tree"
}

# id_of IMAGE
id_of() {
	image inspect "$1" | jq -r '.[0].id'
}

# names_of_store: what `image list` has, in one line
names_of_store() {
	image list -q | tr '\n' ' ' | sed 's/ $//'
}
