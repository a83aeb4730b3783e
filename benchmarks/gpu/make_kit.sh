#!/bin/bash
# Fill a folder with what a GPU machine without a network may lack, about 40 MB:
#
#     benchmarks/gpu/make_kit.sh KIT
#
# Wheels for Python 3.12, and onnxruntime-gpu cut down by slim_onnxruntime.py. The machine itself
# must have PyTorch with CUDA 13, NumPy, onnx, rich, click, pillow and the project's build tools.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
kit=${1:?usage: make_kit.sh KIT}
mkdir -p "$kit/wheels"
get() {
  python3 -m pip download --quiet --no-deps --only-binary=:all: --python-version 3.12 \
    --implementation cp --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 \
    --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 --platform any \
    --dest "$@"
}
pinned() { for name; do grep -i "^$name==" "$here/../../constraints.txt"; done; }
# shellcheck disable=SC2046  # one word for each package
get "$kit/wheels" $(pinned pydicom jsonschema jsonschema-specifications referencing rpds-py \
  platformdirs lightning-fabric)
large=$(mktemp -d)
trap 'rm -rf "$large"' EXIT
get "$large" onnxruntime-gpu==1.31.1
python3 -m venv "$large/venv"
"$large/venv/bin/pip" install --quiet zstandard
"$large/venv/bin/python" "$here/slim_onnxruntime.py" "$large"/onnxruntime_gpu-*.whl \
  "$kit/onnxruntime.tar.xz"
du -sh "$kit"
