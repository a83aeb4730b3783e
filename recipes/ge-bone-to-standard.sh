#!/usr/bin/env bash
# Scans of GE, from the sharp kernel BONE to the soft STANDARD: ge-bone-to-standard.sh WORK [SCANS]
manufacturer=GE source=BONE target=STANDARD
. "$(dirname "$0")/steps.sh"
