"""A relay that errs on purpose, with the Redis in front of it: what a load tool has to notice."""

import asyncio
import collections
import json
import threading

from websockets.asyncio.server import serve


class FakeRelay:
    """Serves pages and takes `PUBLISH`, in a thread of its own; used as a context.

    `fault(number, payload)` is handed each delivery, counted from 1 over all pages, and returns the
    payloads that go out in its place. `ping_interval(number)` is the wait before a page's ping.
    """

    def __init__(self, fault=lambda number, payload: [payload], ping_interval=lambda number: 0.2,
                 receivers=None):
        self._fault = fault
        self._ping_interval = ping_interval
        self._receivers = receivers
        self._pages = collections.defaultdict(list)
        self.peers = []
        self._deliveries = 0
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(20)
        assert not self._thread.is_alive()

    async def _run(self):
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        async with serve(self._serve_page, "127.0.0.1", 0, compression=None) as pages:
            redis = await asyncio.start_server(self._serve_redis, "127.0.0.1", 0)
            self.port = pages.sockets[0].getsockname()[1]
            self.redis_port = redis.sockets[0].getsockname()[1]
            self._ready.set()
            await self._over.wait()
            redis.close()

    async def _serve_page(self, page):
        channel = page.request.path.rsplit("/", 1)[-1]
        self.peers.append(page.remote_address)
        await page.recv()
        await page.send('{"type":"ping"}')
        self._pages[channel].append(page)
        try:
            number = 0
            while True:
                try:
                    await asyncio.wait_for(page.wait_closed(), self._ping_interval(number))
                    return
                except asyncio.TimeoutError:
                    number += 1
                    await page.send('{"type":"ping"}')
        finally:
            self._pages[channel].remove(page)

    async def _serve_redis(self, reader, writer):
        while True:
            try:
                count = int((await reader.readline())[1:] or 0)
                words = []
                for _ in range(count):
                    length = int((await reader.readline())[1:])
                    words.append((await reader.readexactly(length + 2))[:-2].decode())
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            if not words:
                return
            if words == ["PING"]:
                writer.write(b"+PONG\r\n")
                continue
            _, channel, payload = words
            pages = list(self._pages[channel])
            answer = len(pages) if self._receivers is None else self._receivers
            writer.write(b":%d\r\n" % answer)
            for page in pages:
                self._deliveries += 1
                for out in self._fault(self._deliveries, payload):
                    await page.send(json.dumps({"type": "status", "data": out}))
