#!/usr/bin/env bash
# Build the sdist and, from it, wheels; install each Python's wheel outside the repository and try it:
#
#     tests/packaging/wheels.sh TOOLS DIST PYTHON...
#
# TOOLS is the bin folder of an environment with the dependency group `wheels`. Files go to DIST.
# A Python that cannot be run is left out, by name.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
tools=$(cd "$1" && pwd)
mkdir -p "$2"
dist=$(cd "$2" && pwd)
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PIP_QUIET=1 PIP_CONSTRAINT=$root/constraints.txt
cd "$work"

copy_wheel() { # of DIST, if one fits the Python of this environment
  "$1/bin/pip" download --no-deps --no-index --only-binary :all: --find-links "$dist" \
    --dest "$1/wheel" rgan-sdk
}

rm -f "$dist"/rgan_sdk-*
"$tools/python" -m build --sdist --outdir "$dist" "$root"
tried=0
for python; do
  if ! "$python" -c '' 2>/dev/null; then
    echo "left out: $python cannot be run"
    continue
  fi
  venv=$work/venv-$tried
  "$python" -m venv "$venv"
  "$venv/bin/pip" install --upgrade pip
  if ! copy_wheel "$venv" 2>/dev/null; then
    "$venv/bin/pip" wheel --no-deps --wheel-dir "$venv/raw" "$dist"/rgan_sdk-*.tar.gz
    PATH=$tools:$PATH "$tools/python" -m auditwheel repair --wheel-dir "$dist" "$venv"/raw/*.whl
    copy_wheel "$venv"
  fi
  "$venv/bin/pip" install "rgan-sdk[cpu] @ file://$(echo "$venv"/wheel/*.whl)"
  "$venv/bin/python" "$root/tests/packaging/smoke.py"
  tried=$((tried + 1))
done
ls -l "$dist"
if [ "$tried" = 0 ]; then
  echo "no wheel was tried" >&2
  exit 1
fi
