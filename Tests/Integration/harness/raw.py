"""HTTP and WebSocket byte by byte, for what a well-behaved client never sends."""

import base64
import os
import socket
import struct
from typing import NamedTuple

from harness.waiting import PATIENCE

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
CONTINUATION = 0x0
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


class Answer(NamedTuple):
    """An HTTP answer; the names of its headers are in lower case."""

    status: int
    headers: dict
    body: bytes


class Frame(NamedTuple):
    opcode: int
    payload: bytes

    @property
    def code(self):
        """The code of a close frame; None where it has none."""
        return struct.unpack("!H", self.payload[:2])[0] if self.payload else None


def upgrade_request(path, host="localhost", **changes):
    """The bytes of an upgrade; a header is changed by its name with `_` for `-`, or left out."""
    headers = {
        "Host": host,
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13",
    } | {name.replace("_", "-"): value for name, value in changes.items()}
    lines = [f"{name}: {value}\r\n" for name, value in headers.items() if value is not None]
    return f"GET {path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode("latin-1")


def frame(opcode, payload=b"", fin=True, masked=True, reserved=0, length=None):
    """A frame as a client sends it; `length` announces another length than the payload's."""
    length = len(payload) if length is None else length
    first = (0x80 if fin else 0) | reserved << 4 | opcode
    mask = 0x80 if masked else 0
    if length < 126:
        head = struct.pack("!BB", first, mask | length)
    elif length < 1 << 16:
        head = struct.pack("!BBH", first, mask | 126, length)
    else:
        head = struct.pack("!BBQ", first, mask | 127, length)
    if not masked:
        return head + payload
    key = os.urandom(4)
    return head + key + bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))


class RawSocket:
    """A TCP connection to the daemon."""

    def __init__(self, port, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(("127.0.0.1", port))
        self._input = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, data):
        self.socket.sendall(data)
        return self

    def close(self):
        self.socket.close()

    def reset(self):
        """Ends the connection with a TCP reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def end_sending(self):
        self.socket.shutdown(socket.SHUT_WR)

    # Reading

    def _more(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        self._input += data
        return len(data) > 0

    def _take(self, count):
        while len(self._input) < count:
            assert self._more(), f"the connection ended after {self._input!r}"
        taken, self._input = self._input[:count], self._input[count:]
        return taken

    def read_to_end(self):
        """All bytes up to the end of the connection."""
        while self._more():
            pass
        taken, self._input = self._input, b""
        return taken

    def read_answer(self):
        """The next HTTP answer."""
        while b"\r\n\r\n" not in self._input:
            assert self._more(), f"the connection ended after {self._input!r}"
        head, self._input = self._input.split(b"\r\n\r\n", 1)
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, value = line.split(":", 1)
            headers[name.lower()] = value.strip()
        code = int(status.split(" ")[1])
        length = 0 if code == 101 else int(headers.get("content-length", 0))
        return Answer(code, headers, self._take(length))

    def read_frame(self):
        """The next frame, which must be unmasked, whole and without reserved bits."""
        first, second = self._take(2)
        assert first & 0x70 == 0 and first & 0x80 and second & 0x80 == 0
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", self._take(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self._take(8))
        return Frame(first & 0x0F, self._take(length))

    def read_until(self, opcode):
        """The next frame of this kind; those before it are passed over."""
        while True:
            read = self.read_frame()
            if read.opcode == opcode:
                return read

    # The WebSocket

    def upgrade(self, channel, **changes):
        """Upgrades and reads the answer, which must be a 101."""
        answer = self.send(upgrade_request("/" + channel, **changes)).read_answer()
        assert answer.status == 101, answer
        return self

    def send_frame(self, opcode, payload=b"", **how):
        return self.send(frame(opcode, payload, **how))


def http_get(port, path, headers=None):
    """The answer to a plain GET."""
    return http_request(port, "GET", path, headers)


def http_request(port, method, path, headers=None):
    """The answer to a request without a body."""
    lines = {"Host": f"127.0.0.1:{port}"} | (headers or {})
    text = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in lines.items())
    with RawSocket(port) as connection:
        connection.send(f"{method} {path} HTTP/1.1\r\n{text}\r\n".encode("latin-1"))
        return connection.read_answer()


def nonce():
    """A fresh value for Sec-WebSocket-Key."""
    return base64.b64encode(os.urandom(16)).decode()
