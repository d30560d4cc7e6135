"""A TCP proxy that injects faults: each direction by itself, changeable while it runs.

It stands between daemon and Redis, or between client and daemon. What a real network does is done
to the bytes (delay, jitter, a narrow pipe, one-byte segments, corruption, a black hole) and to the
connections (reset, half-close). Bytes are never reordered or lost within a connection, as in TCP.
"""

import asyncio
import contextlib
import random
import socket
import struct
import threading

_READ_SIZE = 65536
_NO_LINGER = struct.pack("ii", 1, 0)


class Faults:
    """What is done to the bytes of one direction, in all connections; settable at any time."""

    def __init__(self):
        self.delay = 0.0
        """Seconds by which every byte is late."""
        self.jitter = 0.0
        """At most so many seconds come on top, drawn for each read."""
        self.rate = None
        """Bytes a second; None for no limit."""
        self.segment = None
        """Bytes in one write at most; 1 makes one-byte segments."""
        self.black_hole = False
        """Nothing is read or passed on, and nobody is told."""
        self.forwarded = 0
        """Bytes that have gone through so far."""
        self.writes = 0
        """Writes in which they went."""
        self._corrupt = None

    def corrupt(self, after, length=1, mask=0xFF):
        """Inverts bits of `length` bytes, after so many more that stay whole."""
        self._corrupt = (self.forwarded + after, self.forwarded + after + length, mask)

    def heal(self):
        """Passes everything on at once and whole again."""
        self.delay = self.jitter = 0.0
        self.rate = self.segment = self._corrupt = None
        self.black_hole = False

    @property
    def piece(self):
        """Bytes of the next write at most."""
        by_rate = _READ_SIZE if self.rate is None else max(1, self.rate // 20)
        return min(self.segment or _READ_SIZE, by_rate)

    def pass_through(self, data):
        """Counts bytes on their way out and corrupts what is to be corrupted."""
        start, self.forwarded = self.forwarded, self.forwarded + len(data)
        if self._corrupt is None or start >= self._corrupt[1] or self.forwarded <= self._corrupt[0]:
            return data
        first, last, mask = self._corrupt
        return bytes(byte ^ mask if first <= start + index < last else byte
                     for index, byte in enumerate(data))


class FaultProxy:
    """Listens on 127.0.0.1 and forwards each connection to `port` there (or of `host`).

    `to_server` and `to_client` are the faults of the two directions; the client is who connects.
    """

    def __init__(self, port, host="127.0.0.1", buffer=None, seed=1):
        self.to_server = Faults()
        self.to_client = Faults()
        self._target = (host, port)
        self._buffer = buffer
        self._random = random.Random(seed)
        self._pairs = {}
        self._accepted = 0
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._set_buffer(self._listener)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(1024)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def url(self):
        """The proxied server as a Redis."""
        return f"redis://127.0.0.1:{self.port}/2"

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def directions(self):
        return (self.to_server, self.to_client)

    @property
    def accepted(self):
        """Connections so far."""
        return self._accepted

    @property
    def connections(self):
        """Connections that are open at present."""
        return len(self._pairs)

    def heal(self):
        for direction in self.directions:
            direction.heal()

    def black_hole(self):
        """Both directions fall silent; the connections stay."""
        for direction in self.directions:
            direction.black_hole = True

    def reset(self):
        """Ends all connections with a TCP reset to both sides; returns their number."""
        return self._call(self._reset())

    def half_close(self, side="client"):
        """Ends the stream towards one side of all connections; the other way stays open."""
        return self._call(self._half_close(side))

    def stop(self):
        """Ends the proxy and its connections."""
        if self._thread.is_alive():
            self._call(self._reset())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5)

    # In the proxy's thread

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def _run(self):
        asyncio.set_event_loop(self._loop)
        accepting = self._loop.create_task(self._accept())
        self._loop.run_forever()
        tasks = asyncio.all_tasks(self._loop) | {accepting}
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._listener.close()
        self._loop.close()

    async def _accept(self):
        while True:
            client, _ = await self._loop.sock_accept(self._listener)
            self._accepted += 1
            server = socket.socket()
            task = self._loop.create_task(self._serve(client, server))
            self._pairs[task] = (client, server)
            task.add_done_callback(self._pairs.pop)

    async def _serve(self, client, server):
        self._set_buffer(server)
        try:
            for one in (client, server):
                one.setblocking(False)
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self._while_healthy(self.to_server)
            await self._loop.sock_connect(server, self._target)
            await _all_or_none(
                self._forward(client, server, self.to_server),
                self._forward(server, client, self.to_client))
        except (OSError, asyncio.CancelledError):
            # One side is gone, and the other one learns it as it would without a proxy.
            for one in (client, server):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        finally:
            client.close()
            server.close()

    async def _forward(self, source, target, faults):
        """Two halves with a queue between, so that a delay does not narrow the pipe."""
        queue = asyncio.Queue(64)
        await _all_or_none(
            self._read(source, queue, faults), self._write(target, queue, faults))

    async def _read(self, source, queue, faults):
        due = 0.0
        while True:
            await self._while_healthy(faults)
            try:
                data = await self._loop.sock_recv(source, _READ_SIZE)
            except OSError:
                await queue.put((0.0, None))
                return
            await self._while_healthy(faults)
            late = faults.delay + self._random.uniform(0, faults.jitter)
            due = max(due, self._loop.time() + late)
            await queue.put((due, data))
            if not data:
                return

    async def _write(self, target, queue, faults):
        while True:
            due, data = await queue.get()
            if data is None:
                raise ConnectionResetError
            if (wait := due - self._loop.time()) > 0:
                await asyncio.sleep(wait)
            await self._while_healthy(faults)
            if not data:
                with contextlib.suppress(OSError):
                    target.shutdown(socket.SHUT_WR)
                return
            data = faults.pass_through(data)
            while data:
                piece, data = data[:faults.piece], data[faults.piece:]
                faults.writes += 1
                await self._loop.sock_sendall(target, piece)
                # Lets the other end read in between, so that the kernel joins little.
                await asyncio.sleep(len(piece) / faults.rate if faults.rate else 0)

    async def _while_healthy(self, faults):
        while faults.black_hole:
            await asyncio.sleep(0.002)

    async def _reset(self):
        tasks = list(self._pairs)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return len(tasks)

    async def _half_close(self, side):
        for client, server in self._pairs.values():
            with contextlib.suppress(OSError):
                (client if side == "client" else server).shutdown(socket.SHUT_WR)

    def _set_buffer(self, one):
        if self._buffer is not None:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._buffer)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._buffer)


async def _all_or_none(*coroutines):
    """Waits for all; where one fails the others are cancelled before the failure goes on."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
