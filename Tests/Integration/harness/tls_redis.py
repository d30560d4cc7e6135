"""A real Redis that speaks TLS alone, and peers that spoil the handshake."""

import contextlib
import socket
import threading

import redis

from harness.redis_server import Redis
from harness.waiting import free_port


class TLSRedis(Redis):
    """A Redis server on a TLS port of 127.0.0.1."""

    def __init__(self, directory, authority, certificate, *arguments, client_certificate=None):
        self.authority = authority
        self.certificate = certificate
        self.client_certificate = client_certificate
        super().__init__(directory, *arguments, port=free_port())

    def start(self):
        """Starts the server with the certificate that it is to have by now."""
        own = self.arguments
        self.arguments = (
            "--port", "0", "--tls-port", str(self.port),
            "--tls-cert-file", str(self.certificate.certificate),
            "--tls-key-file", str(self.certificate.key),
            "--tls-ca-cert-file", str(self.authority.file),
            "--tls-auth-clients", "yes" if self.client_certificate else "no", *own)
        try:
            return super().start()
        finally:
            self.arguments = own

    @property
    def url(self):
        return self.url_of("localhost")

    def url_of(self, host):
        return f"rediss://{host}:{self.port}/2"

    def client(self, **options):
        # The tests' own client trusts any certificate: the daemon is the one that is tested.
        if self.client_certificate:
            options["ssl_certfile"] = str(self.client_certificate.certificate)
            options["ssl_keyfile"] = str(self.client_certificate.key)
        return redis.Redis(
            host="127.0.0.1", port=self.port, ssl=True, ssl_cert_reqs="none",
            ssl_check_hostname=False, **options)

    def cli(self, *arguments, stdin=None):
        """What Redis answers; `stdin` is the last argument."""
        with self.client() as client:
            answer = client.execute_command(*arguments, *(() if stdin is None else (stdin,)))
        if isinstance(answer, list):
            return "\n".join(map(_text, answer))
        return _text(answer)


def _text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


class RawPeer:
    """A listener that keeps what comes and answers the first bytes with `answer`.

    With an answer of None it is silent; with an empty one it closes.
    """

    def __init__(self, answer):
        self._answer = answer
        self.received = []
        self._connections = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._connections.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with contextlib.suppress(OSError):
            self.received.append(connection.recv(65536))
            if self._answer is None:
                return
            connection.sendall(self._answer)
            connection.shutdown(socket.SHUT_WR)

    def stop(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            connection.close()
