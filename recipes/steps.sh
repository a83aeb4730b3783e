# What all recipes do. NAME.sh WORK [SCANS] sets manufacturer, source and target, and reads this.
# WORK is a folder for scans, model and reports. With SCANS, a folder of scans that are there,
# nothing is downloaded. The same command goes on after a stop. docs/public-data.md says more.
set -euo pipefail

here=$(dirname "${BASH_SOURCE[0]}")
work=${1:?usage: $(basename "$0") WORK [SCANS]}
scans=${2:-$work/scans}
model=$work/$(echo "$source-to-$target" | tr '[:upper:]' '[:lower:]').onnx
settings=(--config "$here/nlst.toml"
  --set data.source_kernel="$source" --set data.target_kernel="$target")
mkdir -p "$work"
python "$here/check.py"

if [ $# = 1 ]; then
  rgan-train public-pairs --manufacturer "$manufacturer" --kernels "$source,$target" \
    --patients 200 -o "$work/list.csv" --download "$scans"
fi

# Compares headers and positions of all slices; then each patient is assigned to one part.
if [ ! -e "$work/split.csv" ]; then
  if [ -e "$work/run" ] || [ -e "$model" ]; then
    echo "Error: $work has a model of an earlier split, which may have seen patients of a new test;" \
      "remove $work/run, $work/test and $model, or take another folder" >&2
    exit 1
  fi
  rgan-train pair "$scans" -o "$work/pairs.csv"
  python "$here/split.py" "$work/pairs.csv" "$source" "$target" "$work"
fi

if [ ! -e "$model" ]; then
  resume=()
  if [ -e "$work/run/config.json" ]; then resume=(--resume); fi
  rgan-train fit "$work/split.csv" -o "$work/run" --method compact "${settings[@]}" "${resume[@]}"
  rgan-train export "$work/run" -o "$model"
fi

# A report for each patient of the test: patients have pixels of different sizes. A report that is
# older than the model is that of an earlier model. Where a patient fails, the next one's turn comes,
# and the last step names who has no report. 130 is Ctrl-C.
for list in "$work"/test/*.csv; do
  report=${list%.csv}
  if [ ! "$report/report.html" -nt "$model" ]; then
    rm -f "$report/report.html"
    rgan-train evaluate "$list" --model model="$model" -o "$report" "${settings[@]}" ||
      if [ $? = 130 ]; then exit 130; fi
  fi
done
python "$here/table.py" "$work/test" "$work/by-patient.csv" "$work/by-feature.csv"
