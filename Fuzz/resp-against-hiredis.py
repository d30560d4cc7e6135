"""Holds `status2 decode resp` against PyPI's hiredis on random streams of the types it knows.

    python Fuzz/resp-against-hiredis.py .build/debug/status2 [SECONDS [SEED]]

Wants `pip install hiredis`. A stream that the two read differently is printed, and the status is 1.
Left out, since hiredis does not know them or reads less strictly: bulk errors, attributes, streamed
forms, pushes inside a value, maps with keys that Python cannot hash.
"""

import base64
import json
import math
import random
import subprocess
import sys
import time

import hiredis

# The values of a stream before the place that may be malformed.
KNOWN = 400


def text(rng):
    return "".join(rng.choice("abc XYZ019-_:.$*é") for _ in range(rng.randrange(12))).encode()


def value(rng, depth):
    """One well-formed value."""
    choice = rng.randrange(8 if depth > 3 else 13)
    if choice == 0:
        return b"+" + text(rng) + b"\r\n"
    if choice == 1:
        return b"-ERR " + text(rng) + b"\r\n"
    if choice == 2:
        number = rng.choice([0, 1, -1, 2**63 - 1, -2**63, rng.randrange(-10**6, 10**6)])
        return b":%d\r\n" % number
    if choice == 3:
        content = rng.randbytes(rng.randrange(40))
        return b"$%d\r\n%s\r\n" % (len(content), content)
    if choice == 4:
        return rng.choice([b"_\r\n", b"$-1\r\n", b"*-1\r\n", b"#t\r\n", b"#f\r\n"])
    if choice == 5:
        number = rng.choice([0.0, 1.5, -2.25, 1e300, math.inf, -math.inf, rng.uniform(-1e6, 1e6)])
        return b",%s\r\n" % repr(number).encode()
    if choice == 6:
        return b"(%d\r\n" % rng.randrange(-10**30, 10**30)
    if choice == 7:
        content = b"txt:" + text(rng)
        return b"=%d\r\n%s\r\n" % (len(content), content)
    if choice == 8 and depth == 0:
        count = rng.randrange(1, 4)
        return b">%d\r\n" % count + b"".join(value(rng, depth + 1) for _ in range(count))
    if choice == 9:
        count = rng.randrange(4)
        pairs = (b"+key%d\r\n" % n + value(rng, depth + 1) for n in range(count))
        return b"%%%d\r\n" % count + b"".join(pairs)
    if choice == 10:
        count = rng.randrange(4)
        return b"~%d\r\n" % count + b"".join(b":%d\r\n" % n for n in range(count))
    count = rng.randrange(4)
    return b"*%d\r\n" % count + b"".join(value(rng, depth + 1) for _ in range(count))


def damaged(rng, wire):
    """The same with one byte changed, so that one of its numbers, types or ends is another."""
    index = rng.randrange(len(wire))
    return wire[:index] + rng.choice([b"", b"\r", b"0", b"-", b"9", b"x"]) + wire[index + 1:]


def theirs(wire):
    """What hiredis makes of the stream: values, and whether it found the end malformed."""
    reader = hiredis.Reader()
    reader.feed(wire)
    values = []
    while True:
        try:
            got = reader.gets()
        except hiredis.ProtocolError:
            return values, True
        if got is False and not reader.has_data():
            return values, False
        values.append(plain(got))
        # A false and the want of more look alike, the latter without end.
        if len(values) > KNOWN + 100:
            return values, False


def plain(got):
    if isinstance(got, hiredis.ReplyError):
        return {"error": str(got).encode("utf-8", "surrogateescape")}
    if isinstance(got, dict):
        return {"map": [[plain(k), plain(v)] for k, v in got.items()]}
    if isinstance(got, list):
        return [plain(one) for one in got]
    return got


def ours(status2, wire):
    done = subprocess.run([status2, "decode", "resp"], input=wire, capture_output=True)
    values = [simplified(json.loads(line)) for line in done.stdout.splitlines()]
    return values, done.returncode == 1


def content(one):
    return base64.b64decode(one["base64"]) if isinstance(one, dict) else one.encode()


def simplified(one):
    kind, got = one["type"], one["value"]
    if kind in ("simple_string", "blob_string", "big_number"):
        return content(got)
    if kind == "verbatim_string":
        return content(got["text"])
    if kind == "simple_error":
        return {"error": content(got)}
    if kind == "double":
        return float(got)
    if kind == "map":
        return {"map": [[simplified(k), simplified(v)] for k, v in got]}
    if kind in ("array", "set", "push"):
        return [simplified(each) for each in got]
    return got


def main():
    status2 = sys.argv[1]
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 10
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    rng = random.Random(seed)
    deadline = time.monotonic() + seconds
    streams = values = refused = 0
    while time.monotonic() < deadline:
        wire = b"".join(value(rng, 0) + b"+end\r\n" for _ in range(KNOWN // 2))
        if rng.randrange(2):
            # Malformed at one place: hiredis and status2 must both stop there, after equal values.
            wire = wire + damaged(rng, value(rng, 0)) + b"+end\r\n" * 40
        mine, mine_refused = ours(status2, wire)
        other, other_refused = theirs(wire)
        if mine[:KNOWN] != other[:KNOWN]:
            index = next(n for n in range(KNOWN) if mine[n:n + 1] != other[n:n + 1])
            print(f"value {index}: {mine[index:index + 1]} and {other[index:index + 1]}")
            print(wire)
            sys.exit(1)
        # The specification allows integers such as +5 and 007, which hiredis refuses.
        refused += other_refused and not mine_refused
        streams += 1
        values += KNOWN
    print(f"{streams} streams, {values} values read alike; streams refused by hiredis alone: {refused}")


main()
