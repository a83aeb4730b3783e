#!/bin/bash
# Everything that needs a GPU, in under ten minutes and without a network:
#
#     benchmarks/gpu/run.sh [KIT]
#
# KIT is the folder that make_kit.sh filled with what the machine's Python lacks. Without it, the
# project must be installed. The log and the figures go to $OUT (gpu-out): copy gpu-engines.json to
# benchmarks/results. Each step says what it finds, failures included, and the next one goes on.
set -u
cd "$(dirname "$0")/../.."
KIT=${1:-}
PYTHON=${PYTHON:-python3}
export OUT=${OUT:-gpu-out} PYTHONUNBUFFERED=1
mkdir -p "$OUT"
exec > >(tee "$OUT/log") 2>&1

if [ -n "$KIT" ]; then
  SITE=$(mktemp -d)
  "$PYTHON" -m pip install --quiet --no-index --no-deps --no-compile --no-build-isolation \
    --target "$SITE" "$KIT"/wheels/*.whl . || exit 1
  tar -C "$SITE" -xJf "$KIT/onnxruntime.tar.xz"
  export PYTHONPATH="$SITE${PYTHONPATH:+:$PYTHONPATH}"
fi

status=0
step() {  # step SECONDS COMMAND...; -P: the folder of the sources must not hide the installed package
  echo "== ${*:2}"
  timeout "$1" "$PYTHON" -P "${@:2}" || status=1
}
nvidia-smi -L
step 20 -c 'from rgan_sdk.engines import cuda; import onnxruntime as o
print(cuda.devices(), cuda.driver_version(), o.__version__, o.get_available_providers())'
step 40 benchmarks/gpu/session_smoke.py
# shellcheck disable=SC2046  # names of tests hold no spaces
step 60 -m pytest -q -m gpu $(grep -rl --include='test_*.py' "mark.gpu" tests)
step 150 benchmarks/gpu/engines.py --seconds 90 --json "$OUT/gpu-engines.json"
step 80 benchmarks/gpu/train_probe.py
PYTHONPATH="benchmarks/gpu:${PYTHONPATH:-}" step 120 benchmarks/gpu/ort_probe.py
exit $status
