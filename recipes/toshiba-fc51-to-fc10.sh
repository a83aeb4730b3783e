#!/usr/bin/env bash
# Scans of Toshiba, from the sharp kernel FC51 to the soft FC10: toshiba-fc51-to-fc10.sh WORK [SCANS]
manufacturer=TOSHIBA source=FC51 target=FC10
. "$(dirname "$0")/steps.sh"
