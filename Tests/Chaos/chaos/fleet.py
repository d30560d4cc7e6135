"""A fleet of WebSocket clients in a process of its own."""

import contextlib
import json
import pathlib
import selectors
import subprocess
import sys
import time

_PROGRAM = pathlib.Path(__file__).with_name("fleet_process.py")


class Fleet:
    """Clients of one daemon, or of a proxy before it; each listens on one channel."""

    def __init__(self, address):
        self._url = f"ws://{address}"
        self._process = subprocess.Popen(
            [sys.executable, str(_PROGRAM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            bufsize=0)

    def open(self, channels, concurrency=50, timeout=30):
        """Opens a client for each channel; returns the seconds until all were live."""
        answer = self._ask(
            60 + timeout, do="open", url=self._url, channels=list(channels),
            concurrency=concurrency, timeout=timeout)
        assert not answer["failures"], answer["failures"][:5]
        return answer["seconds"]

    def late(self, last, timeout):
        """The channels whose clients have not all seen the last number in time."""
        late = self._ask(timeout + 30, do="settle", last=last, timeout=timeout)["late"]
        return {channel for channel, _ in late}

    def settle(self, publisher, timeout=30):
        """Ends the stream, and waits until every client that is open hears its channel again.

        A subscriber that Redis counts may be a connection that nobody reads any more: each channel
        is published to until its clients see the message.
        """
        publisher.pause()
        deadline = time.monotonic() + timeout
        first = {channel: publisher.publish(channel).number for channel in publisher.sent}
        late = self.late(first, 1)
        while late:
            assert time.monotonic() < deadline, f"deaf for {timeout} s: {sorted(late)[:5]}"
            for channel in late:
                publisher.publish(channel)
            late = self.late(first, 1)
        last = {channel: sent[-1].number for channel, sent in publisher.sent.items()}
        assert not self.late(last, timeout), "a live link lost a message"
        return self

    def report(self):
        """What each client has seen, a dictionary each, in the order in which they were opened.

        `messages` are number, latency and instant of receipt, both in milliseconds.
        """
        return self._ask(120, do="report")["clients"]

    def close(self):
        """Closes all clients in good order."""
        self._ask(120, do="close")

    def stop(self):
        """Closes the clients that are left, and ends the process."""
        try:
            if self._process.poll() is None:
                self.close()
        finally:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process.stdout.close()

    def _ask(self, patience, **command):
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        line = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                assert selector.select(patience), f"no answer of the fleet to {command['do']}"
                more = self._process.stdout.read(1 << 20)
                assert more, "the fleet's process has ended"
                line += more
        return json.loads(line)
