#!/usr/bin/env bash
# Scans of GE, from the sharp kernel LUNG to the soft STANDARD: ge-lung-to-standard.sh WORK [SCANS]
manufacturer=GE source=LUNG target=STANDARD
. "$(dirname "$0")/steps.sh"
