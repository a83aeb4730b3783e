#!/usr/bin/env bash
# Scans of Siemens, from the sharp kernel B50f to the soft B30f: siemens-b50f-to-b30f.sh WORK [SCANS]
manufacturer=SIEMENS source=B50f target=B30f
. "$(dirname "$0")/steps.sh"
