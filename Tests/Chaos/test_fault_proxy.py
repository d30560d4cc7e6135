"""The proxy does to bytes and connections what the drills rely on."""

import contextlib
import socket
import threading
import time

import pytest

from chaos.fault_proxy import FaultProxy
from harness.waiting import wait_until

pytestmark = pytest.mark.quick


class Echo:
    """Sends back what comes; keeps the sockets that it has accepted."""

    def __init__(self):
        self.sockets = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                accepted, _ = self.listener.accept()
                self.sockets.append(accepted)
                threading.Thread(target=self._serve, args=(accepted,), daemon=True).start()

    @staticmethod
    def _serve(accepted):
        with contextlib.suppress(OSError):
            while data := accepted.recv(65536):
                accepted.sendall(data)
            accepted.shutdown(socket.SHUT_WR)

    def stop(self):
        # A blocked accept is ended by shutdown alone, not by close.
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        for one in (self.listener, *self.sockets):
            one.close()


@pytest.fixture
def proxy(cleanup):
    echo = Echo()
    cleanup.callback(echo.stop)
    proxy = FaultProxy(echo.port)
    cleanup.callback(proxy.stop)
    return proxy


@pytest.fixture
def client(cleanup, proxy):
    connection = socket.create_connection(("127.0.0.1", proxy.port), timeout=5)
    cleanup.callback(connection.close)
    return connection


def _exchange(client, data):
    client.sendall(data)
    return _read(client, len(data))


def _read(client, count):
    data = b""
    while len(data) < count:
        more = client.recv(count - len(data))
        assert more, f"the stream ended after {len(data)} bytes"
        data += more
    return data


def _is_silent(client, seconds=0.15):
    client.settimeout(seconds)
    try:
        client.recv(1)
    except TimeoutError:
        return True
    finally:
        client.settimeout(5)
    return False


def test_without_faults_all_bytes_pass_in_both_directions(proxy, client):
    data = bytes(range(256)) * 4096
    threading.Thread(target=client.sendall, args=(data,), daemon=True).start()
    assert _read(client, len(data)) == data
    assert proxy.to_server.forwarded == proxy.to_client.forwarded == len(data)
    assert (proxy.accepted, proxy.connections) == (1, 1)


def test_delay_and_jitter_make_bytes_late_and_keep_their_order(proxy, client):
    proxy.to_server.delay, proxy.to_client.delay = 0.05, 0.05
    begun = time.monotonic()
    assert _exchange(client, b"a") == b"a"
    assert 0.1 <= time.monotonic() - begun < 0.5
    proxy.to_client.jitter = 0.05
    sent = b"".join(b"%04d" % number for number in range(50))
    for start in range(0, len(sent), 4):
        client.sendall(sent[start:start + 4])
    assert _read(client, len(sent)) == sent


def test_one_byte_segments_are_written_one_by_one(proxy, client):
    proxy.to_client.segment = 1
    assert _exchange(client, b"x" * 200) == b"x" * 200
    assert proxy.to_client.writes == 200


def test_a_rate_narrows_the_pipe(proxy, client):
    proxy.to_client.rate = 20_000
    begun = time.monotonic()
    _exchange(client, b"x" * 8_000)
    assert 0.3 <= time.monotonic() - begun < 1.5


def test_a_black_hole_is_silent_until_it_is_healed(proxy, client):
    proxy.black_hole()
    client.sendall(b"held")
    assert _is_silent(client)
    proxy.heal()
    assert _read(client, 4) == b"held"


def test_a_black_hole_of_one_direction_leaves_the_other_open(proxy, client):
    proxy.to_client.black_hole = True
    client.sendall(b"one way")
    wait_until(lambda: proxy.to_server.forwarded == 7, "the bytes to arrive at the server")
    assert _is_silent(client)


def test_a_reset_is_seen_by_both_sides(proxy, client):
    _exchange(client, b"x")
    assert proxy.reset() == 1
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    wait_until(lambda: proxy.connections == 0, "the connection to go")


def test_a_half_close_ends_one_direction_and_leaves_the_other(proxy, client):
    _exchange(client, b"x")
    proxy.half_close("client")
    assert client.recv(1) == b""
    client.sendall(b"still open")
    wait_until(lambda: proxy.to_server.forwarded == 11, "the bytes to arrive at the server")


def test_the_end_of_a_stream_is_passed_on(client):
    client.sendall(b"last words")
    client.shutdown(socket.SHUT_WR)
    assert _read(client, 10) == b"last words"
    assert client.recv(1) == b""


def test_corruption_begins_after_so_many_bytes_and_ends(proxy, client):
    proxy.to_client.corrupt(after=4, length=2, mask=0x01)
    assert _exchange(client, b"00000000") == b"00001100"
    assert _exchange(client, b"0000") == b"0000"
