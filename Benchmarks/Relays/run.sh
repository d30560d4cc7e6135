#!/bin/sh
# Builds what is measured beside the daemon, and measures: arguments go to compare.py.
#
#     Benchmarks/Relays/run.sh            every relay in every case, three rounds: some twenty minutes
#     Benchmarks/Relays/run.sh --quick    the daemon, webdis and the floor at a fixed rate, under two minutes
set -eu
cd "$(dirname "$0")/../.."
Scripts/venv .venv-relays Benchmarks/Relays/requirements.txt
mkdir -p .build-bench-relays
cc -O2 -Wall -Wextra -o .build-bench-relays/floor Benchmarks/Relays/floor.c -lcrypto
cc -O2 -Wall -Wextra -DURING -o .build-bench-relays/floor-uring Benchmarks/Relays/floor.c -lcrypto -luring
cc -O2 -Wall -Wextra -o .build-bench-relays/subscriber Benchmarks/Relays/subscriber.c
GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE="$PWD/.build-bench-relays/go-cache" \
    go build -o .build-bench-relays/go-relay Benchmarks/Relays/go_relay.go
# PyPI's socketify brings uWebSockets for Linux on x86-64 alone, and puts the file onto other machines too.
rm -f .build-bench-relays/uws-relay
uws=$(echo .venv-relays/lib/python3*/site-packages/socketify)
if [ "$(uname -m)" = x86_64 ] && [ -e "$uws/libsocketify_linux_amd64.so" ]; then
    cc -O2 -Wall -Wextra -o .build-bench-relays/uws-relay Benchmarks/Relays/uws_relay.c \
        -L "$uws" -l:libsocketify_linux_amd64.so -Wl,-rpath,"\$ORIGIN/../$uws" -lhiredis -luv
fi
if [ "${1:-}" = --quick ]; then
    shift
    set -- --rounds 1 --seconds 2 --cases "A',B',C" --relays floor,shared,dedicated,webdis "$@"
fi
exec /usr/bin/python3 Benchmarks/Relays/compare.py "$@"
