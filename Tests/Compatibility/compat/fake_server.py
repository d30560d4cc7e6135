"""fakeredis's TCP server: `fake_server.py PORT redis|valkey|dragonfly [--without-hello]`."""

import sys

from fakeredis import TcpFakeServer
from fakeredis._commands import SUPPORTED_COMMANDS

if "--without-hello" in sys.argv:
    SUPPORTED_COMMANDS.pop("hello")
server = TcpFakeServer(("127.0.0.1", int(sys.argv[1])), server_type=sys.argv[2])
server.daemon_threads = True
server.serve_forever()
