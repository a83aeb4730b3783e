#!/usr/bin/env bash
# Harmonize a folder of scans: data_manager.sh [SCANS HARMONIZED]
# Without arguments it makes phantoms in the current folder, and works on those.
set -euo pipefail

if [ $# = 0 ]; then
  set -- scans harmonized
  rgan-harmonize sample scans/soft --slices 3 --model b40f-to-b70f
  rgan-harmonize sample scans/sharp --slices 3 --model b70f-to-b40f
fi
scans=$1 harmonized=${2:?usage: data_manager.sh [SCANS HARMONIZED]}

# What is there, which models fit, and what else could be done? Nothing is changed.
rgan-harmonize scan "$scans"

# What would run with this model, as a list. Delete rows of what is not to be harmonized.
rgan-harmonize scan "$scans" --model b40f-to-b70f --list worklist.csv

# A run that was stopped, by you or by a power cut, is continued by the same command.
status=0
rgan-harmonize run --from worklist.csv "$harmonized" --preview --report report.json || status=$?
case $status in
  0) echo "all done" ;;
  3) echo "some series failed; report.json says why" ;;
  4) echo "nothing fits the model" ;;
  75) echo "another run holds $harmonized: try again later" ;;
  *) exit "$status" ;;
esac

# The next night: what is finished stays, and is compared with its checksums.
rgan-harmonize run --from worklist.csv "$harmonized" --verify-outputs
