#!/usr/bin/env bash
# Write requirements.lock and requirements-cuda.lock anew from pyproject.toml, for Python 3.10 to 3.12.
#
# Versions that the present locks already hold are kept where they still fit; UPGRADE=1 takes the newest.
# The CUDA packages that the public torch wheel asks for are pinned as constraints, not as requirements:
# a machine with a CPU-only torch must not fetch gigabytes that nothing there can use.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/python" -m pip install --quiet 'uv>=0.5'

cat requirements.lock requirements-cuda.lock 2>/dev/null | sed '/^-/d' >"$scratch/all.lock" || true
"$scratch/venv/bin/uv" pip compile pyproject.toml --extra dev --universal --python-version 3.10 \
  --no-annotate --no-header ${UPGRADE:+--upgrade} --output-file "$scratch/all.lock" --quiet

cuda='^(nvidia-|cuda-|triton)'
{
  echo "# Every version that make installs, for Python 3.10 to 3.12. Written by scripts/lock.sh (make lock)."
  echo "--constraint requirements-cuda.lock"
  grep -vE "$cuda" "$scratch/all.lock" | sed 's/+cpu//'
} >requirements.lock
{
  echo "# Versions of what a CUDA build of torch asks for; used only where such a build is installed."
  grep -E "$cuda" "$scratch/all.lock"
} >requirements-cuda.lock
echo "$(grep -c == requirements.lock) packages locked, $(grep -c == requirements-cuda.lock) more beside a CUDA torch"
