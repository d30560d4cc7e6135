"""A relay as one writes it in Python today: picows, hiredis and uvloop.

    python picows_relay.py LISTEN_PORT REDIS_PORT

One connection to Redis for all channels, a task for nothing: each message is put into JSON once and sent to
each socket of its channel. It keeps the protocol of the deployed pages as far as the benchmark needs it:
the first ping follows the subscription, `init` is answered by a ping, a heartbeat goes out every five seconds.
"""

import asyncio
import json
import resource
import sys

import hiredis
import uvloop
from picows import WSListener, WSMsgType, ws_create_server

PING = b'{"type":"ping"}'
HEARTBEAT_SECONDS = 5


class Subscriber(asyncio.Protocol):
    """The connection to Redis: channels with the transports of their pages."""

    def __init__(self):
        self.reader = hiredis.Reader()
        self.pages = {}
        self.live = set()

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.reader.feed(data)
        while (push := self.reader.gets()) is not False:
            kind, channel, payload = push
            if kind == b"message":
                text = json.dumps({"type": "status", "data": payload.decode(errors="replace")})
                frame = text.encode()
                for page in self.pages.get(channel, ()):
                    page.send(WSMsgType.TEXT, frame)
            elif kind == b"subscribe":
                self.live.add(channel)
                for page in self.pages.get(channel, ()):
                    page.send(WSMsgType.TEXT, PING)

    def join(self, channel, page):
        if channel in self.pages:
            self.pages[channel].append(page)
            if channel in self.live:
                page.send(WSMsgType.TEXT, PING)
            return
        self.pages[channel] = [page]
        self.transport.write(b"*2\r\n$9\r\nSUBSCRIBE\r\n$%d\r\n%s\r\n" % (len(channel), channel))

    def leave(self, channel, page):
        self.pages[channel].remove(page)


class Page(WSListener):
    def __init__(self, subscriber, channel):
        self.subscriber, self.channel = subscriber, channel

    def on_ws_connected(self, transport):
        self.transport = transport
        self.subscriber.join(self.channel, transport)
        self.beat = asyncio.get_running_loop().call_later(HEARTBEAT_SECONDS, self.heartbeat)

    def heartbeat(self):
        self.transport.send(WSMsgType.TEXT, PING)
        self.beat = asyncio.get_running_loop().call_later(HEARTBEAT_SECONDS, self.heartbeat)

    def on_ws_frame(self, transport, frame):
        if frame.msg_type == WSMsgType.TEXT:
            if b'"init"' in frame.get_payload_as_bytes() and self.channel in self.subscriber.live:
                transport.send(WSMsgType.TEXT, PING)
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()

    def on_ws_disconnected(self, transport):
        self.beat.cancel()
        self.subscriber.leave(self.channel, transport)


async def main(listen_port, redis_port):
    loop = asyncio.get_running_loop()
    _, subscriber = await loop.create_connection(Subscriber, "127.0.0.1", redis_port)
    server = await ws_create_server(
        lambda request: Page(subscriber, request.path.lstrip(b"/")), "127.0.0.1", listen_port,
        backlog=4096)
    await server.serve_forever()


limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
uvloop.run(main(*map(int, sys.argv[1:])))
