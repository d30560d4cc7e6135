#!/bin/sh
# Holds the hot path to its budgets: what a relayed message costs the daemon in instructions,
# allocations and retains, alone in its turn of the event loop and among sixteen.
#
#     Benchmarks/Relay/check.sh    needs redis-server, valgrind and python3; under a minute
#
# Counts depend on the compiler and hardly on the machine: budgets.json leaves some 5 % of the
# instructions for that, and of the rest less than one for twenty messages. A machine that has much
# else to do tears bursts apart: what is over its budget is counted again, and the least counts.
set -eu
cd "$(dirname "$0")/../.."
release=${STATUS2_BINARY:-.build/release/status2}
check() {
    for burst in 1 16; do
        python3 Benchmarks/Relay/relayed.py "$release" "$1" --burst "$burst" --messages 480 \
            --budgets Benchmarks/Relay/budgets.json -- --redis-subscriptions "$1" || return 1
    done
}
echo "| subscriptions | messages a turn | instructions | allocations | retains |"
echo "| --- | ---: | ---: | ---: | ---: |"
check dedicated & dedicated=$!
check shared & shared=$!
status=0
wait $dedicated || status=1
wait $shared || status=1
exit $status
