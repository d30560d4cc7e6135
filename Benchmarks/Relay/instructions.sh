#!/bin/sh
# Prints what a relayed message costs the daemon in instructions, allocations and retains, with the
# trace off, on, and taken out of the source. Needs redis-server, valgrind and python3.
#
#     Benchmarks/Relay/instructions.sh            the whole table
#     Benchmarks/Relay/instructions.sh --quick    without the build that has no trace
set -eu
cd "$(dirname "$0")/../.."
swift=${SWIFT:-swift}
build() { Scripts/quietly '(warning|error): ' "$swift" build -c release --product status2 "$@" >&2; }
row() { python3 Benchmarks/Relay/relayed.py "$@"; }

build
release=.build/release/status2

echo "| trace | messages a turn | instructions | allocations | retains |"
echo "| --- | ---: | ---: | ---: | ---: |"
if [ "${1:-}" != --quick ]; then
    # The same sources in a copy, without the lines that ask whether the trace is on.
    copy=$PWD/.build-bench-relay/status2
    mkdir -p "$copy"
    rm -rf "$copy/Sources" "$copy/Tests" "$copy/Fuzz" "$copy/Load"
    cp -R Package.swift Sources Tests Fuzz Load "$copy"
    grep -rlE '^ *if (links\.)?trace != nil \{.*\}$' "$copy/Sources/Relay/Shell" |
        xargs sed -i -E '/^ *if (links\.)?trace != nil \{.*\}$/d'
    if grep -rnE 'if (links\.)?trace != nil' "$copy/Sources/Relay/Shell" >&2; then
        echo "The trace is asked for in a form that this script does not know." >&2
        exit 1
    fi
    build --package-path "$copy"
    for burst in 1 16; do
        row "$copy/.build/release/status2" "none in the source" --burst "$burst"
    done
fi
for burst in 1 16; do
    row "$release" "off" --burst "$burst"
done
for form in text hex; do
    for burst in 1 16; do
        row "$release" "on, $form to a file" --burst "$burst" -- \
            --trace --trace-format "$form" --trace-file FOLDER/trace
    done
done
