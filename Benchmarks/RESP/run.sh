#!/bin/sh
# Builds resp-bench and prints one table: this codec, hiredis, and Python's hiredis, in one run.
# Needs libhiredis-dev, python3 with venv, and the Python package index the first time.
set -eu
cd "$(dirname "$0")"
scratch=$(cd ../.. && pwd)/.build-bench-resp
swift build -c release --scratch-path "$scratch" >&2
if [ ! -x "$scratch/venv/bin/python" ]; then
    python3 -m venv "$scratch/venv"
    "$scratch/venv/bin/pip" -q install hiredis==3.2.1 >&2
fi
rm -rf "$scratch/inputs"
mkdir "$scratch/inputs"
"$scratch/release/resp-bench"
"$scratch/release/resp-bench" --write "$scratch/inputs"
"$scratch/venv/bin/python" hiredis_python.py "$scratch/inputs"
