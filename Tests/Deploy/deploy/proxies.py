"""Debian's proxies with the configurations of Deploy/ in them, before a daemon on another port."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess

from harness.waiting import free_port, wait_until

_DEPLOY = pathlib.Path(__file__).resolve().parents[3] / "Deploy"
PREFIX = "/weppcloud-microservices/status/"


def _program(name):
    """The path of a proxy, which Debian keeps out of the path of users."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def _shipped(name, upstream):
    """A configuration of Deploy/, with the daemon's port in the place of the usual one."""
    text = (_DEPLOY / name).read_text()
    assert "127.0.0.1:9002" in text or "snippets" in name
    return text.replace("127.0.0.1:9002", f"127.0.0.1:{upstream}")


class Proxy:
    """A proxy on a free port; it goes on where the daemon behind it is another one later."""

    name = None
    # Whether WebSockets outlive a reload.
    keeps_pages = True

    @classmethod
    def is_installed(cls):
        return _program(cls.name) is not None

    def __init__(self, directory, upstream):
        self.directory = pathlib.Path(directory)
        self.port = free_port()
        self.write(upstream)
        self._log = open(self.directory / "log", "wb")
        self.process = subprocess.Popen(
            self.command(), stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(directory),
                 "XDG_DATA_HOME": str(directory), "XDG_CONFIG_HOME": str(directory)})
        wait_until(self._listens, f"{self.name} to listen", 20)

    @property
    def address(self):
        """Where pages connect; `Page` puts the path behind it."""
        return f"127.0.0.1:{self.port}{PREFIX.rstrip('/')}"

    def _listens(self):
        assert self.process.poll() is None, (self.directory / "log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._log.close()


class Nginx(Proxy):
    name = "nginx"

    def command(self):
        return [_program("nginx"), "-p", str(self.directory), "-e", str(self.directory / "error.log"),
                "-c", str(self.directory / "nginx.conf")]

    def write(self, upstream):
        for part in ("conf.d", "snippets"):
            (self.directory / part).mkdir(exist_ok=True)
            text = _shipped(f"nginx/{part}/status2.conf", upstream)
            (self.directory / part / "status2.conf").write_text(text)
        folders = "".join(
            f"    {kind}_temp_path {self.directory}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        user = "user root;\n" if os.geteuid() == 0 else ""
        (self.directory / "nginx.conf").write_text(
            f"{user}worker_processes 2;\ndaemon off;\npid {self.directory}/pid;\n"
            "events { worker_connections 1024; }\n"
            f"http {{\n{folders}    access_log off;\n"
            f"    include {self.directory}/conf.d/*.conf;\n"
            f"    server {{\n        listen 127.0.0.1:{self.port};\n"
            f"        include {self.directory}/snippets/status2.conf;\n    }}\n}}\n")

    def reload(self):
        self.process.send_signal(signal.SIGHUP)


class HAProxy(Proxy):
    name = "haproxy"
    # As Debian ships it: /etc/haproxy/haproxy.cfg.
    _head = """
global
    maxconn 4096
defaults
    mode http
    timeout connect 5000
    timeout client 50000
    timeout server 50000
frontend pages
    bind 127.0.0.1:{port}
    use_backend status2 if {{ path_beg /weppcloud-microservices/status/ }}
"""

    def command(self):
        # With a master, as Debian's unit starts it.
        return [_program("haproxy"), "-W", "-db", "-p", str(self.directory / "pid"),
                "-f", str(self.directory / "haproxy.cfg")]

    def write(self, upstream):
        (self.directory / "haproxy.cfg").write_text(
            self._head.format(port=self.port) + _shipped("haproxy/status2.cfg", upstream))

    def reload(self):
        self.process.send_signal(signal.SIGUSR2)


class Caddy(Proxy):
    name = "caddy"
    # Debian 12 has 2.6, which closes WebSockets when it is given another configuration.
    keeps_pages = False

    def command(self):
        return [_program("caddy"), "run", "--config", str(self.directory / "Caddyfile"),
                "--adapter", "caddyfile"]

    def write(self, upstream):
        (self.directory / "status2.caddy").write_text(_shipped("caddy/status2.caddy", upstream))
        (self.directory / "Caddyfile").write_text(
            f"{{\n\tadmin unix/{self.directory}/admin\n\tauto_https off\n}}\n"
            f"import status2.caddy\nhttp://127.0.0.1:{self.port} {{\n\timport status2\n}}\n")

    def reload(self):
        subprocess.run(
            [_program("caddy"), "reload", "--force", "--config", str(self.directory / "Caddyfile"),
             "--adapter", "caddyfile", "--address", f"unix/{self.directory}/admin"],
            check=True, capture_output=True, timeout=30)


PROXIES = {kind.name: kind for kind in (Nginx, HAProxy, Caddy)}
