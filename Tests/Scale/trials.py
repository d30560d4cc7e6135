"""Trials of many pages: undisturbed, over restarts, over a pause, and idle."""

import contextlib
import os
import pathlib
import re
import signal
import time

from Scale.servers import Failure
from Scale.trial import Trial

HEARTBEAT_LATENESS = "100ms"
# Idle pages need no link each; the daemon takes 1,000 a second from one address.
IDLE_PAGES_A_SECOND = 900
IDLE_SECONDS = 30
PAUSE_SECONDS = 8
REDIS_DOWN_SECONDS = 3
# From the daemon's end to the last page's first ping: the script's 1.5 s, doubled once where the
# daemon is not there yet, and 9,000 links at 500 a second.
RETURN_LIMIT_SECONDS = 40
# From Redis's return to the last subscription: the probe finds it within half a second; then 9,000 links
# come back at 500 a second, which shared ones do not need.
AGAIN_LIMIT_SECONDS = {"dedicated": 21, "shared": 1}


def undisturbed(pages, seconds, rate, mode="dedicated"):
    """Every page hears all that it is sent, heartbeats are in time, no link is made again."""
    with Trial(pages, STATUS_REDIS_SUBSCRIPTIONS=mode) as trial:
        trial.begin(
            "--max-reconnects", "0", "--max-heartbeat-lateness", HEARTBEAT_LATENESS,
            rate=rate, seconds=seconds)
        figures = trial.end()
        return with_cost(figures, trial.assert_links_undisturbed())


def with_cost(figures, metrics):
    """Adds the daemon's processor time and memory, to be read beside the tool's own."""
    figures["daemon_resident_megabytes"] = round(metrics["process_resident_memory_bytes"] / 1e6, 1)
    if figures["delivered"]:
        figures["daemon_processor_us_per_message"] = round(
            metrics["process_cpu_seconds_total"] * 1e6 / figures["delivered"])
    return figures


def redis_restart(pages, mode="dedicated"):
    """No page is closed; what Redis had a subscriber for is delivered; all links come back."""
    with Trial(pages, STATUS_REDIS_SUBSCRIPTIONS=mode) as trial:
        trial.begin(
            "--scenario", "reconnect", "--max-reconnects", "0",
            "--max-heartbeat-lateness", HEARTBEAT_LATENESS, rate=pages / 3, seconds=75)
        trial.wait_for_measuring()
        time.sleep(5)
        count = trial.subscriptions()
        trial.redis.stop()
        time.sleep(REDIS_DOWN_SECONDS)
        trial.redis.start()
        again = trial.wait_for_subscriptions(count, 2 * AGAIN_LIMIT_SECONDS["dedicated"])
        figures = trial.end() | {"subscribed_again_s": round(again, 2)}
        if again > AGAIN_LIMIT_SECONDS[mode]:
            raise Failure(f"the last subscription was made again after {again:.2f} s", figures)
        return with_cost(figures, trial.assert_none_stalled())


def daemon_restart(pages, mode="dedicated"):
    """Pages are closed, come back as the deployed script does, and hear all from then on."""
    with Trial(pages, STATUS_REDIS_SUBSCRIPTIONS=mode) as trial:
        trial.begin(
            "--scenario", "reconnect", "--max-return", f"{RETURN_LIMIT_SECONDS}s",
            "--max-heartbeat-lateness", HEARTBEAT_LATENESS, rate=pages / 3, seconds=75)
        trial.wait_for_measuring()
        time.sleep(5)
        trial.daemon.stop()
        trial.daemon.start()
        figures = trial.end()
        return with_cost(figures, trial.assert_links_undisturbed())


def pause(pages, mode="dedicated"):
    """A daemon that stood still blames nobody, and delivers what has waited."""
    with Trial(pages, STATUS_REDIS_SUBSCRIPTIONS=mode) as trial:
        trial.begin("--max-reconnects", "0", rate=pages / 3, seconds=40)
        trial.wait_for_measuring()
        time.sleep(5)
        trial.daemon.process.send_signal(signal.SIGSTOP)
        time.sleep(PAUSE_SECONDS)
        trial.daemon.process.send_signal(signal.SIGCONT)
        figures = trial.end()
        metrics = trial.assert_links_undisturbed()
        if metrics.get("status2_standstills_total", 0) < 1:
            raise Failure("the daemon has not noticed that it stood still", figures)
        return with_cost(figures, metrics)


def mission(mode="dedicated"):
    """300 pages at a message a second each: 95 in 100 within 50 ms."""
    with Trial(300, STATUS_REDIS_SUBSCRIPTIONS=mode) as trial:
        trial.begin(
            "--p95-target", "50ms", "--max-reconnects", "0", "--max-heartbeat-lateness",
            HEARTBEAT_LATENESS, rate=300, seconds=60)
        return with_cost(trial.end(), trial.assert_links_undisturbed())


def kernel_memory():
    """Bytes of the kernel's objects, and of what its sockets hold."""
    slabs = re.search(r"^Slab: +(\d+) kB", pathlib.Path("/proc/meminfo").read_text(), re.M)
    pages = re.search(
        r"^TCP: .* mem (\d+)", pathlib.Path("/proc/net/sockstat").read_text(), re.M)
    return int(slabs[1]) * 1024 + int(pages[1]) * os.sysconf("SC_PAGE_SIZE")


def idle(pages, processes):
    """Pages that are open and hear nothing: memory of the daemon and of the kernel for each."""
    settings = {"STATUS_REDIS_SUBSCRIPTIONS": "shared", "STATUS_PING_INTERVAL": "20s"}
    with contextlib.ExitStack() as stack:
        trials = [stack.enter_context(Trial(pages // processes, **settings)) for _ in range(processes)]
        resident = sum(each.metrics()["process_resident_memory_bytes"] for each in trials)
        kernel = kernel_memory()
        for each in trials:
            each.begin("--max-reconnects", "0", "--ping-interval", "20s", rate=1, seconds=IDLE_SECONDS,
                       pages_a_second=IDLE_PAGES_A_SECOND // processes)
        for each in trials:
            each.wait_for_measuring()
        time.sleep(IDLE_SECONDS / 3)
        metrics = [each.metrics() for each in trials]
        kernel = kernel_memory() - kernel
        resident = sum(each["process_resident_memory_bytes"] for each in metrics) - resident
        opened = sum(each["status2_connections_active"] for each in metrics)
        for each in trials:
            each.end()
        if opened != pages // processes * processes:
            raise Failure(f"{opened:.0f} of {pages} pages are open")
        # Both ends of each connection are this machine's.
        return {"pages": int(opened), "processes": processes,
                "daemon_bytes_a_page": round(resident / opened),
                "kernel_bytes_a_socket": round(kernel / opened / 2)}
