#!/usr/bin/env bash
# Harmonize a folder with a Slurm array: search it once, one task a shard, merge at the end.
#
#   ./submit.sh SCANS OUTPUT MODEL SHARDS
#
# SCANS and OUTPUT must be on a file system that all nodes see. The same command again continues
# what was stopped. Other scans, another model, and series that come later need another OUTPUT.
set -euo pipefail

if [ $# != 4 ]; then
  sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
scans=$(realpath -m "$1") model=$3
OUTPUT=$(realpath -m "$2") SHARDS=$4
LIST=$OUTPUT/worklist.csv
export LIST OUTPUT SHARDS
if [ -f "$model" ]; then model=$(realpath "$model"); fi
here=$(dirname "$(realpath "$0")")

mkdir -p "$OUTPUT/logs"
asked="SCANS $scans, MODEL $model" submitted=$OUTPUT/submitted
# An earlier list stays: its time is part of all new UIDs.
if [ ! -e "$LIST" ]; then
  printf '%s\n' "$asked" >"$submitted"
  rgan-harmonize scan "$scans" --model "$model" --list "$LIST"
elif [ -e "$submitted" ] && [ "$(cat "$submitted")" != "$asked" ]; then
  echo "$OUTPUT was begun with $(cat "$submitted"), not with $asked; choose another OUTPUT" >&2
  exit 2
fi
shards=$(sbatch --parsable --array="1-$SHARDS" --output="$OUTPUT/logs/part-%a.log" \
  "$here/harmonize.sbatch")
parts=()
for number in $(seq "$SHARDS"); do parts+=("$OUTPUT/part-$number"); done
merge=$(sbatch --parsable --job-name=rgan-merge --dependency="afterany:$shards" \
  --output="$OUTPUT/logs/merge.log" --open-mode=append \
  --wrap="rgan-harmonize merge $(printf '%q ' "${parts[@]}")")
echo "submitted: array $shards, and $merge, which merges its shards; logs are in $OUTPUT/logs"
