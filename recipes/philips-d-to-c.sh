#!/usr/bin/env bash
# Scans of Philips, from the sharp kernel D to the softer C: philips-d-to-c.sh WORK [SCANS]
manufacturer=Philips source=D target=C
. "$(dirname "$0")/steps.sh"
