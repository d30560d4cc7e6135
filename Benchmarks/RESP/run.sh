#!/bin/sh
# Builds resp-bench and prints one table: this codec, hiredis, and Python's hiredis, in one run.
# Needs libhiredis-dev, python3 with venv, and the Python package index the first time.
set -eu
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
scratch=$root/.build-bench-resp
"$root/Scripts/quietly" '(warning|error): ' \
    "${SWIFT:-swift}" build -c release --scratch-path "$scratch" >&2
"$root/Scripts/venv" .venv-hiredis Fuzz/requirements.txt >&2
rm -rf "$scratch/inputs"
mkdir "$scratch/inputs"
"$scratch/release/resp-bench" >"$scratch/rows"
"$scratch/release/resp-bench" --write "$scratch/inputs"
"$root/.venv-hiredis/bin/python" hiredis_python.py "$scratch/inputs" >>"$scratch/rows"
python3 table.py <"$scratch/rows"
