#!/usr/bin/env python3
"""Measures relays of Redis Pub/Sub to WebSockets side by side; prints one table.

    compare.py [--rounds N] [--seconds S] [--relays NAME,…] [--cases NAME,…] [--json FILE]

Each relay is started anew for each run, pinned to core 0 with a Redis of its own on core 1, where
status2-load runs as well. Rounds are interleaved: every relay has its turn in each, so that what else
the machine does meets all alike. Figures are the processor time of the relay (all its processes and
threads, user and system) while it is measured; medians of the rounds, with the range behind them.
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import platform
import re
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from relays import BUILD, LOAD, RELAYS, Process, free_port

SERVER_CORE, LOAD_CORE = 0, 1
AS_FAST_AS_IT_CAN = 1_000_000


class Case:
    """One load. `pages` over `channels`, `rate` messages a second, `window` deliveries under way."""

    def __init__(self, title, unit, pages, channels, rate=0, window=None, digits=1):
        self.title, self.unit, self.digits = title, unit, digits
        self.pages, self.channels, self.rate, self.window = pages, channels, rate, window


CASES = {
    "A": Case("1 channel, 1,000 sockets, as fast as possible", "s/M", 1000, 1,
              AS_FAST_AS_IT_CAN, 64_000, digits=2),
    "B": Case("300 channels with a socket each, as fast as possible", "s/M", 300, 300,
              AS_FAST_AS_IT_CAN, 2_400, digits=2),
    "A'": Case("20,000 deliveries a second over 1 channel", "s/M", 1000, 1, 20),
    "B'": Case("5,000 messages a second over 300 channels", "s/M", 300, 300, 5000),
    "C": Case("300 messages a second over 300 channels", "s/M", 300, 300, 300),
    "idle": Case("5,000 sockets, heartbeats every 5 s", "% of a core", 5000, 5000, digits=2),
    "storm": Case("9,900 connects within 3 s", "s", 9900, 9900, digits=2),
    "wide": Case("9,900 sockets, 10,000 messages a second", "ms p99", 9900, 9900, 10_000),
}
PER_MESSAGE = ("A", "B", "A'", "B'", "C")


def processor_seconds(pid):
    """The processor time of a process with its threads and all its children, in seconds.

    The scheduler's own account in nanoseconds where the kernel keeps it; else ticks of 10 ms.
    """
    total = 0.0
    for child in tree(pid):
        for task in pathlib.Path(f"/proc/{child}/task").iterdir():
            with contextlib.suppress(OSError):
                total += task_seconds(task)
    return total


def task_seconds(task):
    with contextlib.suppress(OSError):
        spent = int((task / "schedstat").read_text().split()[0])
        if spent:
            return spent / 1e9
    fields = (task / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def tree(pid):
    """The process and its descendants."""
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for parent in found:
        found += parents.get(parent, [])
    return found


def own_memory(pid):
    """Bytes of a relay's own: no file's, which it has for itself only until the load tool maps the same
    library. What its processes share is counted once."""
    total = 0
    for child in tree(pid):
        with contextlib.suppress(OSError):
            text = pathlib.Path(f"/proc/{child}/smaps_rollup").read_text()
            total += 1024 * sum(map(int, re.findall(r"^Pss_(?:Anon|Shmem):\s+(\d+)", text, re.M)))
    return total


def redis_memory(port):
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(b"INFO memory\r\n")
        text = connection.recv(1 << 16).decode()
    return int(re.search(r"used_memory:(\d+)", text)[1])


def measure(relay, case, seconds):
    """One run; a dictionary of figures."""
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(
            tempfile.TemporaryDirectory(prefix="status2-bench-", ignore_cleanup_errors=True)))
        folder.chmod(0o755)
        redis_port = free_port()
        stack.enter_context(Process(
            "redis", ["redis-server", "--port", redis_port, "--bind", "127.0.0.1", "--save", "",
                      "--dir", folder, "--maxclients", 19_000, "--tcp-backlog", 4096],
            LOAD_CORE, folder, port=redis_port))
        server, port = relay.start(redis_port, SERVER_CORE, folder)
        stack.enter_context(server)
        names = [f"load-{index}:status" for index in range(case.channels)]
        if case.rate:
            stack.enter_context(relay.feed(port, redis_port, names, LOAD_CORE, folder))
        return run_load(relay, case, seconds, server.child.pid, port, redis_port)


def run_load(relay, case, seconds, pid, port, redis_port):
    command = [
        "taskset", "-c", str(LOAD_CORE), str(LOAD), "--url", f"ws://127.0.0.1:{port}{relay.prefix}",
        "--redis-url", f"redis://127.0.0.1:{redis_port}", "--sockets", str(case.pages),
        "--channels", str(case.channels), "--payload-bytes", "100", "--json",
        "--ramp", f"{max(500, case.pages // 3)}ms", *relay.arguments]
    if case.rate:
        # What goes as fast as it can ends with the time, and what is under way then is not counted.
        drain = "0s" if case.window else "10s"
        command += ["--rate", str(case.rate), "--duration", f"{seconds}s", "--drain", drain]
    else:
        # A page's heartbeats come once in each of two intervals.
        command += ["--no-publish", "--rate", "0", "--drain", "0s",
                    "--duration", "1s" if case is CASES["storm"] else "10s"]
    command += ["--window", str(case.window)] if case.window else []
    before = own_memory(pid), redis_memory(redis_port)
    idle_processor = processor_seconds(pid)
    marks = {}
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as load:
        for line in load.stderr:
            phase, _, event = line.partition(": ")
            if event.strip() == "begun":
                marks[phase] = time.monotonic(), processor_seconds(pid)
                if phase == "draining":
                    after = own_memory(pid), redis_memory(redis_port)
        text = load.stdout.read()
        status = load.wait()
    if status not in (0, 1) or "draining" not in marks:
        raise RuntimeError(f"status2-load ended with status {status}: {line.strip()}")
    figures = json.loads(text)
    end = marks["over" if case.rate and not case.window else "draining"]
    spent, span = end[1] - marks["measuring"][1], end[0] - marks["measuring"][0]
    delivered = figures["delivered"]
    opened = max(1, figures["opened"])
    return {
        "spent": spent, "span": span, "delivered": delivered,
        "per_million": spent / delivered * 1e6 if delivered else None,
        "share": 100 * spent / span,
        "lost": 0 if case.window else figures["lost"] + figures["missed"],
        "absent": figures["absent_pages"], "reasons": figures["reasons"],
        "p50_ms": figures["latency_ms"]["p50"], "p99_ms": figures["latency_ms"]["p99"],
        "connect_s": marks["measuring"][1] - idle_processor,
        "bytes_a_socket": (after[0] - before[0]) / opened,
        "redis_bytes_a_socket": (after[1] - before[1]) / opened,
        "deliveries_a_second": delivered / span,
    }


def plain_subscriber(case, seconds):
    """The latency of a subscriber without a relay, under the same load: p50 and p99 in ms."""
    with tempfile.TemporaryDirectory(prefix="status2-bench-") as name:
        folder, port = pathlib.Path(name), free_port()
        redis = ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "",
                 "--dir", folder]
        with Process("redis", redis, LOAD_CORE, folder, port=port):
            subscriber = subprocess.Popen(
                ["taskset", "-c", str(SERVER_CORE), BUILD / "subscriber", str(port),
                 str(int(seconds) + 2)], stdout=subprocess.PIPE, text=True)
            subprocess.run(
                ["taskset", "-c", str(LOAD_CORE), LOAD, "--sockets", "0", "--redis-url",
                 f"redis://127.0.0.1:{port}", "--rate", str(case.rate), "--channels",
                 str(case.channels), "--payload-bytes", "100", "--duration", f"{seconds}s",
                 "--quiet", "--json"], stdout=subprocess.DEVNULL, check=False)
            p50, p99, _ = subscriber.communicate()[0].split()
    return {"p50_ms": float(p50), "p99_ms": float(p99)}


def value(name, run):
    """The figure of a case that stands in the table."""
    if name in PER_MESSAGE:
        return run["per_million"]
    return {"idle": run["share"], "storm": run["connect_s"], "wide": run["p99_ms"]}[name]


def collect(relays, cases, rounds, seconds):
    """All runs, by relay and case; the plain subscriber stands beside case C."""
    runs = {}
    for name in cases:
        case = CASES[name]
        for number in range(1 if name == "wide" else rounds):
            if name == "C":
                runs.setdefault(("subscriber", name), []).append(plain_subscriber(case, seconds))
            for key in relays:
                if name == "wide" and not key.startswith(("shared", "dedicated")):
                    continue
                try:
                    run = measure(RELAYS[key], case, seconds)
                except (RuntimeError, OSError) as error:
                    print(f"{key}, {name}: {error}", file=sys.stderr, flush=True)
                    continue
                runs.setdefault((key, name), []).append(run)
                note = f", {run['lost']} lost" if run["lost"] else ""
                note += f", {run['absent']} pages without a stream" if run["absent"] else ""
                print(f"{name} {number + 1}/{rounds} {key}: {value(name, run)}{note}",
                      file=sys.stderr, flush=True)
    return runs


def cell(values, digits):
    values = [one for one in values if one is not None]
    if not values:
        return "–"
    text = f"{statistics.median(values):.{digits}f}"
    if len(values) > 1:
        text += f" ({min(values):.{digits}f}–{max(values):.{digits}f})"
    return text


def table(relays, cases, runs):
    lines = ["| relay | " + " | ".join(
        f"{name} ({CASES[name].unit})" for name in cases) + " | KB a socket | Redis KB a socket |",
        "| --- |" + " ---: |" * (len(cases) + 2)]
    for key in relays:
        cells = [RELAYS[key].name]
        for name in cases:
            found = runs.get((key, name), [])
            text = cell([value(name, run) for run in found], CASES[name].digits)
            if name == "idle" and found and not RELAYS[key].has_heartbeat:
                text += ", no heartbeat"
            cells.append(text)
        idle = runs.get((key, "idle"), [])
        cells.append(cell([run["bytes_a_socket"] / 1024 for run in idle], 2))
        cells.append(cell([run["redis_bytes_a_socket"] / 1024 for run in idle], 2))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def latencies(relays, runs):
    plain = runs.get(("subscriber", "C"))
    if not plain:
        return ""
    lines = ["", "Latency in case C, milliseconds from the time at which a message was due:", "",
             "| relay | p50 | p99 |", "| --- | ---: | ---: |"]
    for name, key in [("a plain Redis subscriber, C", "subscriber")] + [
            (RELAYS[key].name, key) for key in relays]:
        found = runs.get((key, "C"), [])
        lines.append(f"| {name} | {cell([run['p50_ms'] for run in found], 2)} |"
                     f" {cell([run['p99_ms'] for run in found], 2)} |")
    return "\n".join(lines)


def raise_descriptor_limit():
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--relays", default=",".join(RELAYS))
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--json", type=pathlib.Path)
    chosen = parser.parse_args()
    if (os.cpu_count() or 1) < 2:
        sys.exit("This needs two cores: one for the relay and one for the load.")
    raise_descriptor_limit()
    cases = chosen.cases.split(",")
    relays = []
    for key in chosen.relays.split(","):
        if missing := RELAYS[key].missing():
            print(f"{RELAYS[key].name} is left out: {missing}.", file=sys.stderr)
        else:
            relays.append(key)
    runs = collect(relays, cases, chosen.rounds, chosen.seconds)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    print(f"{datetime.date.today().isoformat()}, {os.cpu_count()} cores, {memory:.0f} GiB, Linux"
          f" {platform.release()}; {chosen.rounds} rounds of {chosen.seconds} s, medians (ranges);"
          " s/M: processor seconds a million delivered messages of 100 bytes.\n")
    print(table(relays, cases, runs))
    print(latencies(relays, runs))
    if chosen.json:
        chosen.json.write_text(json.dumps(
            [{"relay": key, "case": name, "runs": found}
             for (key, name), found in runs.items()], indent=2) + "\n")


if __name__ == "__main__":
    main()
