#!/bin/sh
# Everything that needs a GPU, within ten minutes and without a network:
#
#     PYTHON=python3 benchmarks/gpu/run_all.sh [WHEELS]
#
# WHEELS is a folder of wheels that the machine's Python lacks; they are installed as they are,
# without what they depend on. The project itself is built where it is not installed, with the build
# tools that are there. Writes benchmarks/results/gpu-engines.json, then runs the tests marked gpu.
# Exit code 1 where nothing could be measured or a test failed; what is missing is said.
set -u
cd "$(dirname "$0")/../.." || exit 1
PYTHON=${PYTHON:-python3}
SITE=$(mktemp -d)
trap 'rm -rf "$SITE"' EXIT
PYTHONPATH="$SITE${PYTHONPATH:+:$PYTHONPATH}"
export PYTHONPATH
install() {
  "$PYTHON" -m pip install --quiet --no-index --no-deps --no-compile --no-build-isolation \
    --target "$SITE" "$@"
}

if [ $# -gt 0 ]; then
  install "$1"/*.whl || echo "missing: some wheels of $1 could not be installed" >&2
fi
# -P: the folder of the sources holds no native module and must not hide the installed package.
if ! "$PYTHON" -P -c "import rgan_sdk._core" 2>/dev/null; then
  install . || { echo "missing: the project could not be built" >&2; exit 1; }
fi

status=0
timeout 420 "$PYTHON" benchmarks/gpu/engines.py \
  --json benchmarks/results/gpu-engines.json || status=1
# shellcheck disable=SC2046  # names of tests hold no spaces
timeout 150 "$PYTHON" -P -m pytest -q -m gpu $(grep -rl --include='test_*.py' "mark.gpu" tests) ||
  status=1
exit $status
