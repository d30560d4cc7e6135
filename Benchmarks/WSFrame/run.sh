#!/bin/sh
# Builds ws-bench and prints one table: this codec, wslay, and Python's websockets, in one run.
# Needs libwslay-dev, python3 with venv, and the Python package index the first time.
set -eu
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
scratch=$root/.build-bench-ws
"$root/Scripts/quietly" '(warning|error): ' \
    "${SWIFT:-swift}" build -c release --scratch-path "$scratch" >&2
if [ ! -x "$scratch/venv/bin/python" ]; then
    python3 -m venv "$scratch/venv"
    "$scratch/venv/bin/pip" -q install websockets==17.4 >&2
fi
"$scratch/release/ws-bench" | tee "$scratch/table"
memcpy=$(awk -F'|' '$2 ~ /memcpy/ { print $3 + 0; exit }' "$scratch/table")
"$scratch/venv/bin/python" websockets_speedups.py "$memcpy"
