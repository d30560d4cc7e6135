"""A stand-in for the page in a browser: the WebSocket client of the `websockets` library."""

import json
import time

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from harness.waiting import PATIENCE


class Page:
    """An open WebSocket with its messages as the page script would see them."""

    def __init__(self, daemon, path, **options):
        options = {"open_timeout": PATIENCE, "close_timeout": PATIENCE, "max_size": None,
                   "ping_interval": None} | options
        self._context = connect(f"ws://{daemon.address}/{path}", **options)
        self.connection = self._context.__enter__()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self, code=1000):
        self.connection.close(code)

    def send(self, message):
        """Sends a text, a binary message, or an object as JSON."""
        if not isinstance(message, (str, bytes)):
            message = json.dumps(message)
        self.connection.send(message)

    def init(self):
        self.send({"type": "init"})

    def pong(self):
        self.send({"type": "pong"})

    def next(self, timeout=PATIENCE):
        """The next message, decoded."""
        text = self.connection.recv(timeout)
        assert isinstance(text, str), "a message of the daemon is a text"
        return json.loads(text)

    def next_of(self, kind, timeout=PATIENCE):
        """The next message of this type; those before it are passed over."""
        deadline = time.monotonic() + timeout
        while True:
            message = self.next(max(0, deadline - time.monotonic()))
            if message["type"] == kind:
                return message

    def status(self):
        """The payload of the next message from Redis."""
        return self.next_of("status")["data"]

    def live(self):
        """Waits for the first ping, which says that the stream is live."""
        self.next_of("ping")
        return self

    def end(self, timeout=PATIENCE):
        """Waits for the close; returns the types of the messages before it and its code."""
        types = []
        deadline = time.monotonic() + timeout
        try:
            while True:
                types.append(self.next(max(0, deadline - time.monotonic()))["type"])
        except ConnectionClosed as closed:
            assert closed.rcvd is not None, "the connection ended without a close frame"
            return types, closed.rcvd.code
