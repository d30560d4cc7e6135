"""The relays that are measured side by side: how each is started, and how its pages speak."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
BUILD = ROOT / ".build-bench-relays"
PYTHON = ROOT / ".venv-relays/bin/python"
DAEMON = pathlib.Path(os.environ.get("STATUS2_BINARY", ROOT / ".build/release/status2"))
LOAD = pathlib.Path(os.environ.get("STATUS2_LOAD_BINARY", ROOT / ".build/release/status2-load"))

# The daemon is measured as it is deployed but for the gate, whose 500 dials a second would be what
# the connect storm measures.
DAEMON_SETTINGS = {"STATUS_REDIS_DIAL_RATE": "100000", "STATUS_REDIS_DIAL_CONCURRENCY": "1024"}

# Seconds until a server must listen.
PATIENCE = 15


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, process, name, log):
    deadline = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{name} does not listen:\n{log.read_text()[-2000:]}")
        time.sleep(0.02)


class Process:
    """A child on one core, ended by its id; used as a context."""

    def __init__(self, name, command, core, folder, environment=None, port=None):
        self.log = folder / f"{re.sub('[^a-z0-9]+', '-', name.lower())}.log"
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(
                ["taskset", "-c", str(core), *map(str, command)], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, env=environment, cwd=folder)
        try:
            if port is not None:
                wait_for_port(port, self.child, name, self.log)
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.terminate()
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


class Relay:
    """A kind of relay. `arguments` are those of status2-load for its pages."""

    name = ""
    prefix = ""
    arguments = ["--one-subscriber"]
    has_heartbeat = True

    def missing(self):
        """What is not there that it needs, or None."""
        return None

    def start(self, redis_port, core, folder):
        """Starts it on the core; the process and the port of its pages."""
        raise NotImplementedError

    def feed(self, port, redis_port, channels, core, folder):
        """What else has to run before messages come, on the load tool's core."""
        return contextlib.nullcontext()


class Status2(Relay):
    """The daemon in one of its modes."""

    _help = None

    def __init__(self, name, needs=(), shared=False, **settings):
        self.name, self.needs, self.settings = name, needs, settings
        self.arguments = ["--one-subscriber"] if shared else []

    def missing(self):
        known = Status2.flags()
        unknown = [flag for flag in self.needs if flag not in known]
        return f"{DAEMON.name} knows no {' '.join(unknown)}" if unknown else None

    @classmethod
    def flags(cls):
        if cls._help is None:
            cls._help = subprocess.run(
                [DAEMON, "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout
        return cls._help

    def start(self, redis_port, core, folder):
        environment = {
            name: value for name, value in os.environ.items()
            if not name.startswith(("STATUS_", "REDIS_"))}
        port = free_port()
        environment |= DAEMON_SETTINGS | self.settings | {
            "STATUS_LISTEN_ADDR": f"127.0.0.1:{port}",
            "STATUS_REDIS_URL": f"redis://127.0.0.1:{redis_port}/0"}
        if "--loops" in Status2.flags():
            environment.setdefault("STATUS_LOOPS", "1")
        return Process("status2", [DAEMON], core, folder, environment, port), port


class Floor(Relay):
    has_heartbeat = False

    def __init__(self, name, program):
        self.name, self.program = name, BUILD / program

    def missing(self):
        return None if self.program.exists() else "it is not built"

    def start(self, redis_port, core, folder):
        port = free_port()
        return Process("floor", [self.program, port, redis_port], core, folder, port=port), port


class Webdis(Relay):
    name = "webdis, C"
    # The dialect of its answers stands in the path.
    prefix = "/.json"
    has_heartbeat = False
    # Without an Origin it answers no upgrade.
    arguments = ["--dialect", "plain", "--subscription", '["SUBSCRIBE","{channel}"]',
                 "--origin", "http://127.0.0.1"]

    def missing(self):
        return None if shutil.which("webdis") else "Debian's webdis is not installed"

    def start(self, redis_port, core, folder):
        port = free_port()
        (folder / "webdis.json").write_text(json.dumps({
            "redis_host": "127.0.0.1", "redis_port": redis_port, "http_host": "127.0.0.1",
            "http_port": port, "threads": 1, "pool_size": 1, "daemonize": False,
            "websockets": True, "database": 0, "verbosity": 0, "logfile": "webdis-own.log",
            "acl": [{"enabled": ["*"]}]}))
        return Process("webdis", ["webdis", "webdis.json"], core, folder, port=port), port


class Go(Relay):
    name = "nhooyr and go-redis, Go"
    arguments = []
    _program = BUILD / "go-relay"

    def missing(self):
        return None if self._program.exists() else "it is not built"

    def start(self, redis_port, core, folder):
        port = free_port()
        return Process("go", [self._program, port, redis_port], core, folder, port=port), port


class Nchan(Relay):
    name = "nginx with nchan, C"
    prefix = "/sub"
    has_heartbeat = False
    arguments = ["--one-subscriber", "--dialect", "plain"]
    _module = pathlib.Path("/usr/lib/nginx/modules/ngx_nchan_module.so")

    def missing(self):
        if not shutil.which("nginx") or not self._module.exists():
            return "Debian's nginx and libnginx-mod-nchan are not installed"
        return None if PYTHON.exists() else "the environment of nchan_feed.py is not made"

    def start(self, redis_port, core, folder):
        port = free_port()
        (folder / "nginx.conf").write_text(f"""
            daemon off; worker_processes 1; worker_rlimit_nofile 20000;
            load_module {self._module};
            pid {folder}/nginx.pid; error_log {folder}/nginx-error.log;
            events {{ worker_connections 19000; }}
            http {{
                access_log off;
                client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
                fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;
                scgi_temp_path {folder}/scgi;
                nchan_max_reserved_memory 512M;
                server {{
                    listen 127.0.0.1:{port} backlog=4096;
                    location ~ ^/sub/(.+)$ {{
                        nchan_subscriber websocket; nchan_channel_id $1;
                        nchan_subscriber_first_message newest; nchan_websocket_ping_interval 0;
                    }}
                    location ~ ^/pub/(.+)$ {{
                        nchan_publisher websocket; nchan_channel_id $1;
                        nchan_message_buffer_length 1000; nchan_message_timeout 5s;
                    }}
                }}
            }}""")
        command = ["nginx", "-p", folder, "-c", folder / "nginx.conf"]
        return Process("nginx", command, core, folder, port=port), port

    @contextlib.contextmanager
    def feed(self, port, redis_port, channels, core, folder):
        command = [PYTHON, HERE / "nchan_feed.py", port, redis_port, *channels]
        with Process("nchan feed", command, core, folder) as feed:
            deadline = time.monotonic() + PATIENCE
            while "ready" not in feed.log.read_text():
                if feed.child.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"nchan_feed.py is not ready:\n{feed.log.read_text()}")
                time.sleep(0.05)
            yield


class Picows(Relay):
    name = "picows, Python"

    def missing(self):
        return None if PYTHON.exists() else "its environment is not made"

    def start(self, redis_port, core, folder):
        port = free_port()
        command = [PYTHON, HERE / "picows_relay.py", port, redis_port]
        return Process("picows", command, core, folder, port=port), port


class UWebSockets(Relay):
    name = "uWebSockets and hiredis, C++"
    _program = BUILD / "uws-relay"

    def missing(self):
        # run.sh builds it where PyPI's socketify has the library, which is on x86-64.
        return None if self._program.exists() else "there is no library of it for this machine"

    def start(self, redis_port, core, folder):
        port = free_port()
        command = [self._program, port, redis_port]
        return Process("uws", command, core, folder, port=port), port


RELAYS = {
    "floor": Floor("the floor, C", "floor"),
    "floor-uring": Floor("the floor with io_uring, C", "floor-uring"),
    "shared": Status2(
        "status2, shared", ["--redis-subscriptions"], shared=True,
        STATUS_REDIS_SUBSCRIPTIONS="shared"),
    "shared-loops": Status2(
        "status2, shared, 2 loops", ["--redis-subscriptions", "--loops"], shared=True,
        STATUS_REDIS_SUBSCRIPTIONS="shared", STATUS_LOOPS="2"),
    "dedicated": Status2("status2, dedicated"),
    "dedicated-loops": Status2("status2, dedicated, 2 loops", ["--loops"], STATUS_LOOPS="2"),
    "webdis": Webdis(),
    "go": Go(),
    "nchan": Nchan(),
    "picows": Picows(),
    "uws": UWebSockets(),
}
