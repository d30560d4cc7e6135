"""Hands Redis's messages to nchan, which takes none from an ordinary PUBLISH.

    python nchan_feed.py NCHAN_PORT REDIS_PORT CHANNEL ...

Each channel has a WebSocket to nchan's publisher, through which its messages go as they come. The feed is
no part of what is measured and runs beside the load tool.
"""

import asyncio
import sys

import hiredis
import uvloop
from picows import WSListener, WSMsgType, ws_connect


class Publisher(WSListener):
    """nchan answers each message; nobody reads that."""


class Subscriber(asyncio.Protocol):
    def __init__(self, publishers):
        self.reader = hiredis.Reader()
        self.publishers = publishers

    def connection_made(self, transport):
        for channel in self.publishers:
            transport.write(b"*2\r\n$9\r\nSUBSCRIBE\r\n$%d\r\n%s\r\n" % (len(channel), channel))

    def data_received(self, data):
        self.reader.feed(data)
        while (push := self.reader.gets()) is not False:
            if push[0] == b"message":
                self.publishers[push[1]].send(WSMsgType.TEXT, push[2])


async def main(nchan_port, redis_port, channels):
    publishers = {}
    for channel in channels:
        url = f"ws://127.0.0.1:{nchan_port}/pub/{channel}"
        publishers[channel.encode()], _ = await ws_connect(Publisher, url)
    loop = asyncio.get_running_loop()
    await loop.create_connection(lambda: Subscriber(publishers), "127.0.0.1", redis_port)
    print("ready", flush=True)
    await asyncio.Event().wait()


uvloop.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
