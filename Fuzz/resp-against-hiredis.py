"""Holds `status2 decode resp` against PyPI's hiredis on random streams of the types it knows.

    python Fuzz/resp-against-hiredis.py STATUS2 (--streams N | --seconds N) [--seed N]

Wants the packages of Fuzz/requirements.txt. Both must read the same values from well-formed
streams. Where a stream is damaged at one place, status2 must read up to there what hiredis reads,
and refuse what hiredis refuses; it may refuse more, since hiredis does not look at the CRLF behind
a string, for one. A stream on which that fails is printed, and the status is 1.

Left out, since hiredis does not know them or reads them otherwise: bulk errors, attributes,
streamed forms, pushes inside a value, maps with keys that Python cannot hash or finds equal.
"""

import argparse
import base64
import json
import math
import random
import re
import subprocess
import sys
import time
from unittest import mock

import hiredis

# The values of a stream before the place that may be damaged.
KNOWN = 400

# Integers that the specification allows and hiredis alone refuses.
UNUSUAL = re.compile(rb":(\+|[+-]?0[0-9]|-0)")


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
    """What hiredis makes of the stream: values, and whether it found it malformed; None where it has
    come to a value that Python cannot hold, such as a map whose key is an array."""
    more = object()
    reader = hiredis.Reader(notEnoughData=more)
    reader.feed(wire)
    values = []
    while True:
        try:
            got = reader.gets()
        except hiredis.ProtocolError:
            return values, True
        except TypeError as error:
            if "unhashable" not in str(error):
                raise
            return values, None
        if got is more:
            return values, False
        values.append(plain(got))


def plain(got):
    if isinstance(got, hiredis.ReplyError):
        return {"error": str(got)}
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
        return {"error": content(got).decode("utf-8", "replace")}
    if kind == "double":
        return float(got)
    if kind == "map":
        pairs = [[simplified(k), simplified(v)] for k, v in got]
        keys = [key for key, _ in pairs]
        # Damage can make two keys equal, and hiredis 3.2.1 then gives the value to another key.
        has_equal_keys = any(key in keys[:index] for index, key in enumerate(keys))
        return {"map": mock.ANY if has_equal_keys else pairs}
    if kind in ("array", "set", "push"):
        return [simplified(each) for each in got]
    return got


def difference(mine, other, damage):
    """What is wrong with what status2 made of a stream, beside what hiredis made of it; or None."""
    (values, refused), (others, is_other_refused) = mine, other
    if values[:KNOWN] != others[:KNOWN]:
        index = next(n for n in range(KNOWN) if values[n:n + 1] != others[n:n + 1])
        return f"value {index}: {values[index:index + 1]} and {others[index:index + 1]}"
    if is_other_refused is None:
        # A damaged count can make an array the key of a map.
        return None if others == values[:len(others)] else f"{values[-3:]} and {others[-3:]}"
    if refused:
        # Before the place that status2 refuses there is nothing that hiredis reads otherwise.
        return None if values == others[:len(values)] else f"{values[-3:]} and {others[-3:]}"
    if is_other_refused and UNUSUAL.search(damage):
        return None if others == values[:len(others)] else f"{values[-3:]} and {others[-3:]}"
    if is_other_refused or values != others:
        return f"hiredis refuses: {is_other_refused}; {values[KNOWN:]} and {others[KNOWN:]}"
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("status2")
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--streams", type=int, default=sys.maxsize)
    length.add_argument("--seconds", type=float, default=math.inf)
    parser.add_argument("--seed", type=int, default=random.randrange(10**9))
    options = parser.parse_args()
    rng = random.Random(options.seed)
    deadline = time.monotonic() + options.seconds
    streams = values = refused = 0
    while streams < options.streams and time.monotonic() < deadline:
        wire = b"".join(value(rng, 0) + b"+end\r\n" for _ in range(KNOWN // 2))
        damage = damaged(rng, value(rng, 0)) if rng.randrange(2) else b""
        wire += damage + b"+end\r\n" * 40
        mine, other = ours(options.status2, wire), theirs(wire)
        found = difference(mine, other, damage)
        if found:
            print(f"seed {options.seed}, stream {streams}: {found}\ndamaged: {damage}\n{wire}")
            return 1
        streams += 1
        values += len(mine[0])
        refused += mine[1]
    print(f"RESP against hiredis: {values} values of {streams} streams read alike, {refused} of them "
          f"malformed; seed {options.seed}")
    return 0


sys.exit(main())
