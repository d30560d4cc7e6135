"""A real nginx before the daemon, under the path that is deployed."""

import os
import pathlib
import shutil
import socket
import subprocess

from harness.waiting import free_port, wait_until

PREFIX = "/weppcloud-microservices/status/"
"""The path under which pages find the daemon; nginx takes it away."""

# Nothing but what a WebSocket needs: buffering, time-outs and the rest are nginx's own defaults.
_CONFIGURATION = """
{user}
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{}}
http {{
    access_log {directory}/access.log;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    map $http_upgrade $connection_upgrade {{
        default upgrade;
        '' close;
    }}
    server {{
        listen 127.0.0.1:{port};
        default_type text/html;
        root {directory};
        location {prefix} {{
            proxy_pass http://{upstream}/;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
        }}
    }}
}}
"""


def program():
    """The path of nginx, which Debian keeps out of the path of users; None where it is missing."""
    return shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


class Nginx:
    """nginx on a free port, which serves the files of `directory` and passes `PREFIX` on."""

    def __init__(self, directory, upstream):
        self.directory = pathlib.Path(directory)
        self.port = free_port()
        configuration = self.directory / "nginx.conf"
        configuration.write_text(_CONFIGURATION.format(
            # As root it would give up its rights, and with them the test's directory.
            user="user root;" if os.geteuid() == 0 else "",
            directory=directory, port=self.port, prefix=PREFIX, upstream=upstream))
        self.process = subprocess.Popen(
            [program(), "-p", str(directory), "-e", str(self.directory / "error.log"),
             "-c", str(configuration)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self._listens, "nginx to listen")

    def _listens(self):
        assert self.process.poll() is None, (self.directory / "error.log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)
