"""Publishes numbered messages and notes what Redis said of each."""

import itertools
import threading
import time
from typing import NamedTuple

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from harness.waiting import wait_until


class Sent(NamedTuple):
    """One message: how many subscribers Redis handed it to, None where Redis did not say."""

    number: int
    before_ms: float
    after_ms: float
    receivers: int | None


class Publisher:
    """Publishes to its channels in turn, `rate` messages a second in all, in its own thread.

    A message is `channel#number#instant`, so that loss, repetition and disorder are seen.
    """

    def __init__(self, server, channels, rate=200, padding=0, timeout=None):
        self.sent = {channel: [] for channel in channels}
        self._padding = "#" + "x" * padding if padding else ""
        self._rate = rate
        # A client that tries again by itself would publish twice.
        self._client = redis.Redis(
            unix_socket_path=str(server.socket_path), retry=Retry(NoBackoff(), 0),
            socket_timeout=timeout)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self._thread.start()
        return self

    @property
    def count(self):
        """Messages so far."""
        return sum(map(len, self.sent.values()))

    def wait_for(self, count, timeout=20):
        """Waits until so many more messages have been published."""
        wanted = self.count + count
        wait_until(lambda: self.count >= wanted, f"{count} more messages", timeout)

    def publish(self, channel):
        """Publishes the channel's next message; returns how Redis took it."""
        number = len(self.sent[channel]) + 1
        before = time.time() * 1000
        try:
            receivers = self._client.publish(
                channel, f"{channel}#{number}#{before:.3f}{self._padding}")
        except (redis.ConnectionError, redis.TimeoutError):
            receivers = None
        sent = Sent(number, before, time.time() * 1000, receivers)
        self.sent[channel].append(sent)
        return sent

    def pause(self):
        """Ends the thread; single messages can still be published."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(30)
            assert not self._thread.is_alive(), "the publisher is stuck"

    def stop(self):
        self.pause()
        self._client.close()

    def _run(self):
        begun = time.monotonic()
        for index, channel in enumerate(itertools.cycle(self.sent)):
            # After a pause of Redis the stream goes on at its rate; nothing is made up for.
            late = time.monotonic() - begun - index / self._rate
            if late > 0.05:
                begun += late
            elif late < 0 and self._ending.wait(-late):
                return
            if self._ending.is_set():
                return
            self.publish(channel)
