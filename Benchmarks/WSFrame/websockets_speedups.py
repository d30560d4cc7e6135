"""Measures Python's websockets with its C speed-ups on the inputs of ws-bench.

Usage: websockets_speedups.py MEMCPY_GB_PER_SECOND
"""

import os
import sys
import time

from websockets.frames import Frame, Opcode
from websockets.protocol import SERVER, Protocol
from websockets.speedups import apply_mask

SIZE = 64 * 1024
LINE = b"2026-11-23 10:00:00 INFO wepp.nodb run: hillslope 42 of 117 done. "
ASCII = (LINE * (SIZE // len(LINE))).ljust(SIZE)
YARDSTICK = float(sys.argv[1])


def measure(round_):
    best = float("inf")
    deadline = time.perf_counter() + 0.7
    while time.perf_counter() < deadline:
        start = time.perf_counter()
        round_()
        best = min(best, time.perf_counter() - start)
    return best


def report(name, count, frames, round_):
    seconds = measure(round_)
    rate = count / seconds / 1e9
    frame = f"{seconds / frames * 1e9:.2f}" if frames > 1 else ""
    print(f"| {name} | {rate:.2f} | {rate / YARDSTICK:.2f} | {frame} |")


def frames_of_a_client(payload):
    one = Frame(Opcode.TEXT, ASCII[:payload]).serialize(mask=True)
    count = SIZE // len(one)
    return b"".join(
        Frame(Opcode.TEXT, ASCII[:payload]).serialize(mask=True) for _ in range(count)
    ), count


def main():
    key = os.urandom(4)
    report("Python apply_mask", SIZE, 1, lambda: apply_mask(ASCII, key))
    report("Python bytes.decode ASCII", SIZE, 1, lambda: ASCII.decode())
    wire, count = frames_of_a_client(100)

    def decode():
        protocol = Protocol(SERVER)
        protocol.receive_data(wire)
        assert len(protocol.events_received()) == count

    report("Python websockets frames 100", len(wire), count, decode)


if __name__ == "__main__":
    main()
