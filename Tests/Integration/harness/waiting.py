"""Waiting for conditions, always with a deadline."""

import socket
import time

PATIENCE = 10.0
"""Seconds after which a condition that should long hold counts as missed."""

_POLL = 0.005


def wait_until(condition, what, timeout=PATIENCE):
    """Returns the first true value of `condition()`; fails with `what` when time is up."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"waited {timeout} s in vain for {what}")
        time.sleep(_POLL)


def free_port():
    """A port of 127.0.0.1 that nobody listens on at present."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
