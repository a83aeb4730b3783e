#!/bin/bash
# Train the models of docs/results/spacing.md on a GPU, within minutes and without a network:
#
#     benchmarks/gpu/spacing.sh KIT [OPTION OF spacing.py]...
#
# KIT is a folder with data/ (the archives of both pairs and the .npz file of the compact VGG-19) and
# wheels/ (make_kit.sh), without which the project must be installed. LIMIT: seconds for everything,
# JOBS: models at a time on the one GPU. The models, most important ones first, and logs go to $OUT (gpu-out)
# as models-N.tar, at the end or when time is short. Unpack them in the project's folder:
# `spacing.py` goes on from there.
set -u
cd "$(dirname "$0")/../.."
KIT=${1:?usage: spacing.sh KIT [OPTION OF spacing.py]...}
shift
PYTHON=${PYTHON:-python3} LIMIT=${LIMIT:-350} JOBS=${JOBS:-12}
export OUT=${OUT:-gpu-out} PYTHONUNBUFFERED=1 PYTHONPATH="benchmarks/quality${PYTHONPATH:+:$PYTHONPATH}"
PACKING=12 # seconds
mkdir -p "$OUT"
exec > >(tee "$OUT/log") 2>&1

# Processes take turns on a GPU; this service (CUDA MPS) lets them compute at the same time.
export CUDA_MPS_PIPE_DIRECTORY CUDA_MPS_LOG_DIRECTORY
CUDA_MPS_PIPE_DIRECTORY=$(mktemp -d) CUDA_MPS_LOG_DIRECTORY=$(mktemp -d)
stop_sharing() {
  [ -z "$sharing" ] || echo quit | timeout 10 nvidia-cuda-mps-control
  sharing=
}
sharing=
share_gpu() {
  nvidia-cuda-mps-control -d || return
  sharing=yes
  timeout 60 "$PYTHON" -c "import torch; torch.ones(9, device='cuda').sum().item()" && return
  cat "$CUDA_MPS_LOG_DIRECTORY"/*.log
  stop_sharing
  return 1
}

training=
finish() {
  [ -z "$training" ] || kill -KILL -- "-$training" 2>/dev/null # all its processes
  stop_sharing
  "$PYTHON" -P benchmarks/gpu/pack.py runs/spacing "$OUT"
  echo "packed after $SECONDS s"
}
trap finish EXIT
trap 'exit 143' TERM INT

unpack() {
  mkdir -p .data/vgg && cp "$KIT"/data/*.npz .data/vgg/ || return
  for archive in "$KIT"/data/*.tar.xz; do
    tar -C .data -xJf "$archive" || return
  done
}
unpacking=
if [ ! -e .data ]; then
  unpack &
  unpacking=$!
fi
if [ -d "$KIT/wheels" ]; then
  SITE=$(mktemp -d)
  "$PYTHON" -m pip install --quiet --no-index --no-deps --no-compile --no-build-isolation \
    --target "$SITE" "$KIT"/wheels/*.whl . || exit 1
  PYTHONPATH="$SITE:$PYTHONPATH"
fi
[ -z "$unpacking" ] || wait "$unpacking" || exit 1
echo "installed after $SECONDS s"
nvidia-smi -L || true

if share_gpu; then
  echo "processes share the GPU after $SECONDS s"
else
  unset CUDA_MPS_PIPE_DIRECTORY CUDA_MPS_LOG_DIRECTORY
fi

# -P: the folder of the sources must not hide the installed package. `timeout` makes a group of
# processes, which ends with it.
timeout -s KILL $((LIMIT - SECONDS - PACKING)) \
  "$PYTHON" -P benchmarks/quality/spacing.py --train-only --jobs "$JOBS" "$@" &
training=$!
wait "$training"
