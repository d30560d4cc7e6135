"""Measures what scraping costs the daemon while it relays to thousands of pages.

    python3 Benchmarks/Relay/scraping.py [--pages 9000] [--rate 3000] [--scrapes 50]

Starts Redis, the daemon and status2-load as Scripts/scale does, and compares the daemon's processor
time over two spans of the same load: without a scrape, and with scrapes one after the other. Prints
what a scrape costs, and what of a core that is once a second and every 15 seconds. The exit status is
1 where once a second is 1 % of a core or more.
"""

import argparse
import os
import pathlib
import sys
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "Tests"))
sys.dont_write_bytecode = True

from Scale.trial import Trial

BASELINE_SECONDS = 10
_OPEN = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}


def processor_seconds(pid):
    """Processor time of a process so far, in the kernel and outside, of all its threads."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def scrape(port):
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers=_OPEN)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return len(answer.read())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pages", type=int, default=9000)
    parser.add_argument("--rate", type=int, default=3000)
    parser.add_argument("--scrapes", type=int, default=50)
    options = parser.parse_args()
    with Trial(options.pages) as trial:
        trial.begin(rate=options.rate, seconds=4 * BASELINE_SECONDS)
        trial.wait_for_measuring()
        pid, port = trial.daemon.process.pid, trial.daemon.port
        start, before = time.monotonic(), processor_seconds(pid)
        time.sleep(BASELINE_SECONDS)
        load = (processor_seconds(pid) - before) / (time.monotonic() - start)
        start, before = time.monotonic(), processor_seconds(pid)
        size = [scrape(port) for _ in range(options.scrapes)][-1]
        elapsed = time.monotonic() - start
        cost = max(0.0, processor_seconds(pid) - before - load * elapsed) / options.scrapes
    share = cost * 100
    print(f"{options.pages} pages, {options.rate} messages a second: the daemon takes "
          f"{load * 100:.1f} % of a core without scrapes.\n"
          f"A scrape of {size} bytes costs {cost * 1000:.2f} ms of processor time: {share:.2f} % of a core "
          f"once a second, {share / 15:.3f} % every 15 s.")
    return 1 if share >= 1 else 0


sys.exit(main())
