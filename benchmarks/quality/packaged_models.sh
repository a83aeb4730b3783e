#!/usr/bin/env bash
# Trains, measures and packages the default models. Usage: packaged_models.sh [train]
# Needs the data of docs/data.md in .data/. Without `train` it takes the runs in runs/.
set -euo pipefail
cd "$(dirname "$0")/../.."
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
siemens=.data/pair_lungdx_A0002_siemens
philips=.data/pair_philips_headphantom_step2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

measure() { # NAME SOURCE TARGET SLICES LABEL [run options]: writes $work/LABEL.json
  local name=$1 source=$2 target=$3 slices=$4 label=$5
  shift 5
  rm -rf "$work/out"
  rgan-harmonize run "$source" "$work/out" --model "$work/$name.onnx" "$@" >"$work/log"
  python benchmarks/quality/written_files.py --source "$source" --target "$target" \
    --harmonized "$name=$work/out" --slices "$slices" --json "$work/$label.json"
}

rgan-train pair "$siemens" -o runs/siemens.csv
for direction in ${DIRECTIONS:-B40f,B70f,UB,YA B70f,B40f,YA,UB}; do
  IFS=, read -r source target other_source other_target <<<"$direction"
  name=$(tr '[:upper:]' '[:lower:]' <<<"$source-to-$target")
  if [ "${1:-}" = train ]; then
    rgan-train fit runs/siemens.csv -o "runs/$name" --config "docs/results/$name.toml" \
      --set "data.source_kernel=$source" --set "data.target_kernel=$target"
  fi
  rgan-train export "runs/$name" -o "$work/$name.onnx"
  measure "$name" "$siemens/$source" "$siemens/$target" 22-29 test
  measure "$name" "$siemens/$source" "$siemens/$target" 0-17 training
  measure "$name" "$philips/$other_source" "$philips/$other_target" 50-69 other --outside-domain kernel,manufacturer,spacing,reconstruction
  python benchmarks/quality/package_model.py "$work/$name.onnx" \
    --measured "held-out slices 22-29 of the same scan=$work/test.json" \
    --measured "training slices 0-17=$work/training.json" \
    --measured "another scanner and kernels: Philips $other_source to $other_target, head phantom=$work/other.json"
  python - "$work" "$name" <<'PYTHON'
import json, pathlib, sys
work, name = pathlib.Path(sys.argv[1]), sys.argv[2]
parts = {part: json.loads((work / f"{part}.json").read_text()) for part in ("test", "training", "other")}
pathlib.Path(f"docs/results/{name}.json").write_text(json.dumps(parts, indent=1) + "\n")
PYTHON
done
