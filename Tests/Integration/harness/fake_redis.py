"""A server that speaks as much of Redis's protocol as a test wants, in RESP2.

It is there for what a real Redis cannot be made to do: not to know `HELLO`, to hold an answer back
until it is told, to refuse with any error.
"""

import contextlib
import socket
import threading

from harness.waiting import wait_until


PROBE_CHANNEL = b"status2:probe"


class FakeRedis:
    """Answers commands by `answers`: by name, the bytes to send, None for silence, or `CLOSE`.

    The subscription that the daemon makes for itself goes by the name of `PROBE`.
    """

    CLOSE = object()

    def __init__(self, answers=None, port=0):
        self.answers = dict(answers or {})
        self.commands = []
        self._held = []
        self._connections = []
        self._subscribers = {}
        self._acknowledged = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/2"

    def stop(self):
        # A blocked accept is ended by shutdown alone, not by close.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop_connections()

    def drop_connections(self):
        with self._lock:
            connections, self._connections = self._connections, []
            self._subscribers = {}
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    # What has come

    def names(self):
        """The names of the commands so far."""
        with self._lock:
            return [_name(command) for command in self.commands]

    def wait_for(self, name, count=1):
        wait_until(lambda: self.names().count(name) >= count, f"{count} times {name}")

    def wait_for_acknowledgements(self, channel, count):
        """Waits until so many subscriptions of the channel were acknowledged, ever."""
        wait_until(
            lambda: self._acknowledged.count(channel.encode()) >= count,
            f"{count} subscriptions of {channel}")

    # What goes out

    def publish(self, channel, payload):
        """Sends a message to the subscribers of the channel; returns their number."""
        return self.send_raw(channel, _array([b"message", channel.encode(), payload.encode()]))

    def send_raw(self, channel, data):
        """Sends any bytes to the subscribers of the channel; returns their number."""
        with self._lock:
            receivers = list(self._subscribers.get(channel.encode(), ()))
        for connection in receivers:
            with contextlib.suppress(OSError):
                connection.sendall(data)
        return len(receivers)

    def acknowledge(self):
        """Sends the acknowledgements of subscriptions that were held back, from now on at once."""
        with self._lock:
            self.answers.pop("SUBSCRIBE", None)
            held, self._held = self._held, []
        for connection, channel in held:
            self._subscribe(connection, channel)

    # Service

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            # As Redis does: small answers leave at once.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        self._converse(connection)
        with self._lock:
            for subscribers in self._subscribers.values():
                if connection in subscribers:
                    subscribers.remove(connection)

    def _converse(self, connection):
        with contextlib.suppress(OSError, EOFError), connection.makefile("rb") as stream:
            subscribed = False
            while True:
                command = _read_command(stream)
                name = _name(command)
                with self._lock:
                    self.commands.append(command)
                    answer = self.answers.get(name, ...)
                if answer is self.CLOSE:
                    connection.shutdown(socket.SHUT_RDWR)
                    return
                if name == "SUBSCRIBE" and answer is None:
                    with self._lock:
                        self._held.append((connection, command[1]))
                elif answer is None:
                    continue
                elif answer is not ...:
                    connection.sendall(answer)
                elif name in ("SUBSCRIBE", "PROBE"):
                    subscribed = True
                    self._subscribe(connection, command[1])
                elif name == "PING":
                    value = command[1] if len(command) > 1 else b""
                    if subscribed:
                        connection.sendall(_array([b"pong", value]))
                    else:
                        connection.sendall(_bulk(value) if value else b"+PONG\r\n")
                elif name in ("AUTH", "SELECT", "CLIENT"):
                    connection.sendall(b"+OK\r\n")
                else:
                    connection.sendall(b"-ERR unknown command '" + command[0] + b"'\r\n")

    def _subscribe(self, connection, channel):
        with self._lock:
            self._subscribers.setdefault(channel, []).append(connection)
        # One that was held back may be given up by now.
        with contextlib.suppress(OSError):
            connection.sendall(b"*3\r\n" + _bulk(b"subscribe") + _bulk(channel) + b":1\r\n")
        self._acknowledged.append(channel)


def _name(command):
    name = command[0].decode().upper()
    return "PROBE" if name == "SUBSCRIBE" and command[1:] == [PROBE_CHANNEL] else name


def _bulk(value):
    return b"$%d\r\n%s\r\n" % (len(value), value)


def _array(values):
    return b"*%d\r\n" % len(values) + b"".join(map(_bulk, values))


def _read_command(stream):
    head = stream.readline()
    if not head:
        raise EOFError
    words = []
    for _ in range(int(head[1:])):
        length = int(stream.readline()[1:])
        words.append(stream.read(length + 2)[:-2])
    return words
