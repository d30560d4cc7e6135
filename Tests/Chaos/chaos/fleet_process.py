"""The process of a fleet of WebSocket clients: commands as JSON lines in, answers out.

Its work is done apart from the test's, so that a thousand clients do not delay what is measured.
"""

import asyncio
import contextlib
import json
import sys
import time

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed


def now_ms():
    return time.time() * 1000


class Client:
    """One page: it answers pings and keeps account of the messages, by number."""

    def __init__(self, url, channel):
        self.channel = channel
        self._url = url
        self.connection = None
        self.live_at = None
        self.pings = 0
        self.messages = []
        self.gaps = []
        self.outages = []
        self.strange = []
        self.hangup = False
        self.code = None
        self.close_reason = None
        self.closed_at = None
        self._task = None

    async def open(self, timeout):
        self.connection = await connect(
            f"{self._url}/{self.channel}", compression=None, ping_interval=None, max_size=None,
            open_timeout=timeout, close_timeout=3)
        live = asyncio.Event()
        self._task = asyncio.create_task(self._receive(live))
        await asyncio.wait_for(live.wait(), timeout)

    async def _receive(self, live):
        try:
            async for text in self.connection:
                await self._take(text, live)
        except (ConnectionClosed, OSError):
            pass
        self.code = self.connection.close_code
        self.close_reason = self.connection.close_reason
        self.closed_at = now_ms()

    async def _take(self, text, live):
        message = json.loads(text)
        match message.get("type"):
            case "status":
                self._count(message["data"])
            case "ping":
                self.pings += 1
                if self.live_at is None:
                    self.live_at = now_ms()
                    live.set()
                with contextlib.suppress(ConnectionClosed):
                    await self.connection.send('{"type":"pong"}')
            case "gap":
                self.gaps.append(message | {"at_ms": now_ms()})
            case "outage":
                self.outages.append(message | {"at_ms": now_ms()})
            case "hangup":
                self.hangup = True
            case _:
                self.strange.append(message)

    def _count(self, payload):
        at = now_ms()
        try:
            channel, number, sent_at = payload.split("#", 3)[:3]
            entry = (int(number), round(at - float(sent_at), 3), round(at, 3))
        except ValueError:
            channel = None
        if channel == self.channel:
            self.messages.append(entry)
        else:
            self.strange.append(payload)

    async def close(self):
        if self._task is not None:
            with contextlib.suppress(OSError):
                await self.connection.close()
            await self._task

    def report(self):
        return {
            name: getattr(self, name)
            for name in ("channel", "live_at", "pings", "messages", "gaps", "outages", "strange",
                         "hangup", "code", "close_reason", "closed_at")}


class FleetProcess:
    """The clients by the commands that came."""

    def __init__(self):
        self.clients = []

    async def open(self, url, channels, concurrency, timeout):
        """Opens a client for each channel and waits until all are live."""
        begun = time.monotonic()
        places = asyncio.Semaphore(concurrency)
        opened = [Client(url, channel) for channel in channels]
        self.clients += opened

        async def open_one(client):
            async with places:
                await client.open(timeout)

        results = await asyncio.gather(*map(open_one, opened), return_exceptions=True)
        failures = [repr(result) for result in results if result is not None]
        return {"failures": failures, "seconds": time.monotonic() - begun}

    async def settle(self, last, timeout):
        """Waits until each open client has seen the last number of its channel."""
        deadline = time.monotonic() + timeout
        while True:
            late = [
                (client.channel, client.messages[-1][0] if client.messages else None)
                for client in self.clients
                if client.closed_at is None and client.channel in last
                and (not client.messages or client.messages[-1][0] < last[client.channel])]
            if not late or time.monotonic() > deadline:
                return {"late": late}
            await asyncio.sleep(0.02)

    async def report(self):
        return {"clients": [client.report() for client in self.clients]}

    async def close(self):
        await asyncio.gather(*(client.close() for client in self.clients))
        return {}


async def main():
    loop = asyncio.get_running_loop()
    fleet = FleetProcess()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = json.loads(line)
        answer = await getattr(fleet, command.pop("do"))(**command)
        print(json.dumps(answer), flush=True)


asyncio.run(main())
