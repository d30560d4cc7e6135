#!/bin/sh
# Prints instructions and allocations per frame, as callgrind counts them: the difference between
# two runs of different length, so that the start of the process does not count.
set -eu
cd "$(dirname "$0")"
scratch=$(cd ../.. && pwd)/.build-bench-ws
count() { # workload rounds -> frames, instructions, calls of the allocator and of reference counts
    out="$scratch/callgrind.out"
    valgrind --tool=callgrind --callgrind-out-file="$out" "$scratch/release/ws-bench" \
        --run "$1" "$2" 2>"$scratch/callgrind.log" | awk '{ printf "%s ", $1 }'
    awk '/refs:/ { gsub(",", ""); printf "%s ", $NF }' "$scratch/callgrind.log"
    awk '
        /^c?fn=/ {
            line = $0; sub(/^c?fn=/, "", line)
            id = line; sub(/ .*/, "", id)
            if (line ~ / /) { sub(/^[^ ]* /, "", line); name[id] = line }
            if ($0 ~ /^cfn=/) callee = name[id]
        }
        /^calls=/ {
            n = $1; sub(/calls=/, "", n)
            if (callee ~ /^(malloc|calloc|realloc|swift_retain|swift_allocObject|swift_slowAlloc)/)
                total += n
        }
        END { print total + 0 }' "$out"
}
echo "| workload | instructions a frame | allocations and retains a frame |"
echo "| --- | ---: | ---: |"
for workload in "decode 15" "decode 100" "decode 4000" "wslay events 15" "wslay events 100" \
    "wslay frames 100" "encode header" "encode 100"; do
    short=$(count "$workload" 20)
    long=$(count "$workload" 60)
    echo "$short $long" | awk -v name="$workload" '{
        frames = $4 - $1
        printf "| %s | %.0f | %.3f |\n", name, ($5 - $2) / frames, ($6 - $3) / frames
    }'
done
