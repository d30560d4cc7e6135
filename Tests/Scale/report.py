"""What a trial shows and leaves behind."""

import datetime
import json
import os
import pathlib
import platform
import shutil


def machine():
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (f"{datetime.date.today().isoformat()}, {os.cpu_count()} cores, {memory:.0f} GiB,"
            f" Linux {platform.release()}")


def show(figures):
    for name in ("latency", "connecting", "returning", "heartbeat_lateness", "heartbeat_excess",
                 "loop_lag"):
        times = figures.get(f"{name}_ms")
        if times and times["count"]:
            print("    {:<20}".format(name.replace("_", " ")) + "  ".join(
                f"{share} {times[share]:.2f}" for share in ("p50", "p95", "p99", "max")) + " ms")
    for name in ("delivered", "lost", "missed", "repeated", "reordered", "ended",
                 "unsubscribed", "outage_ms", "failed_over_s", "moved", "subscribed_again_s", "processor_us_per_message",
                 "daemon_processor_us_per_message", "daemon_resident_megabytes", "heard",
                 "missing_covered", "untaken", "gaps", "needless_gaps",
                 "slowest_redis_ms", "unexplained", "returns",
                 "resets", "cuts", "black_holes", "faults", "seed", "plain_heard", "plain_returns",
                 "plain_missing", "daemon_bytes_a_page", "kernel_bytes_a_socket"):
        if name in figures:
            print(f"    {name.replace('_', ' '):<35}{figures[name]}")


def keep(log):
    """Keeps the last trial's log beside the figures."""
    directory = os.environ.get("STATUS2_REPORT")
    if directory and log.exists():
        pathlib.Path(directory).mkdir(parents=True, exist_ok=True)
        shutil.copy(log, pathlib.Path(directory) / f"scale-{log.name}")


def report(name, figures):
    directory = os.environ.get("STATUS2_REPORT")
    if directory:
        path = pathlib.Path(directory)
        path.mkdir(parents=True, exist_ok=True)
        (path / f"scale-{name}.json").write_text(json.dumps(figures, indent=2) + "\n")
