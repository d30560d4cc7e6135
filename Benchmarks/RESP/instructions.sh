#!/bin/sh
# Prints instructions and allocations per message, as callgrind counts them: the difference between
# two runs of different length, so that the start of the process does not count. run.sh builds.
set -eu
cd "$(dirname "$0")"
scratch=$(cd ../.. && pwd)/.build-bench-resp
count() { # workload rounds -> messages, instructions, calls of the allocator and of reference counts
    out="$scratch/callgrind.out"
    valgrind --tool=callgrind --callgrind-out-file="$out" "$scratch/release/resp-bench" \
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
            if (callee ~ /^(malloc|calloc|realloc)($|[^_a-z])/) allocations += n
            if (callee ~ /^(swift_retain|swift_bridgeObjectRetain)/) retains += n
        }
        END { print allocations + 0, retains + 0 }' "$out"
}
echo "| workload | instructions a message | allocations a message | retains a message |"
echo "| --- | ---: | ---: | ---: |"
for workload in ">3 20 ours" ">3 100 ours" ">3 1000 ours" ">3 100000 ours" "*3 20 ours" \
    "*3 100 ours" "*3 20 hiredis" "*3 100 hiredis" "*3 100 hiredis, no objects" \
    "*3 1000 hiredis" "*3 100000 hiredis" ">3 100 ours, values" "bytewise 100 ours" \
    "bytewise 100 hiredis" "deep 7 ours, values" "deep 7 hiredis" \
    "wide 1000 strings ours, values" "wide 1000 strings hiredis" \
    "wide 1000 integers ours, values" "wide 1000 integers hiredis" "write 100 ours" \
    "write 100 hiredis"; do
    short=$(count "$workload" 5)
    long=$(count "$workload" 15)
    echo "$short $long" | awk -v name="$workload" '{
        messages = $5 - $1
        printf "| %s | %.0f | %.3f | %.3f |\n", name, ($6 - $2) / messages,
            ($7 - $3) / messages, ($8 - $4) / messages
    }'
done
