#!/bin/sh
# Builds timer-bench and prints what 100,000 heartbeats cost of a core.
set -eu
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
scratch=$root/.build-bench-timers
"$root/Scripts/quietly" '(warning|error): ' \
    "${SWIFT:-swift}" build -c release --scratch-path "$scratch" >&2
"$scratch/release/timer-bench" "$@"
