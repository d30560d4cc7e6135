"""What stands before the daemon and looks whether it is well: the real programs, as they come."""

import os
import shutil
import socket
import subprocess

import pytest

from conftest import missing
from harness import haproxy as haproxy_module
from harness import nginx as nginx_module
from harness.haproxy import HAProxy
from harness.raw import http_get, upgrade_request
from harness.waiting import free_port, wait_until

# HAProxy's own defaults first: without a method it asks `OPTIONS PATH HTTP/1.0`.
CHECKS = {
    "bare": ["option httpchk"],
    "health": ["option httpchk /health"],
    "ready": ["option httpchk /ready"],
    "metrics": ["option httpchk /metrics"],
    "get": ["option httpchk GET /ready"],
    "head": ["option httpchk HEAD /health"],
    "slash": ["option httpchk GET /health/"],
    "version": ["option httpchk", "http-check send meth GET uri /ready ver HTTP/1.1 hdr Host x"],
    "expect": ["option httpchk GET /health", "http-check expect string OK"],
}


@pytest.fixture
def start_haproxy(cleanup, tmp_path):
    if not haproxy_module.program():
        missing("haproxy")

    def start(daemon, checks, **options):
        started = HAProxy(tmp_path, f"127.0.0.1:{daemon.port}", checks, **options)
        cleanup.callback(started.stop)
        return started

    return start


def test_the_checks_of_haproxy_find_the_daemon_well(daemon, start_haproxy):
    haproxy = start_haproxy(daemon, CHECKS)
    well = {name: ("L7OK", "200") for name in CHECKS}
    wait_until(lambda: haproxy.states() == well, f"{well}, not {haproxy.states()}")


def test_the_checks_of_haproxy_see_that_redis_is_away(start_daemon, start_redis, start_haproxy):
    redis = start_redis()
    daemon = start_daemon(redis)
    haproxy = start_haproxy(daemon, {name: CHECKS[name] for name in ("bare", "ready", "health")})
    redis.kill()
    expected = {"bare": ("L7STS", "503"), "ready": ("L7STS", "503"), "health": ("L7OK", "200")}
    wait_until(lambda: haproxy.states() == expected, f"{expected}, not {haproxy.states()}")


@pytest.mark.parametrize("option", ["send-proxy", "send-proxy-v2"])
def test_the_proxy_protocol_of_haproxy_is_named_in_the_log(start_daemon, redis, start_haproxy, option):
    daemon = start_daemon(redis)
    start_haproxy(
        daemon, {"proxied": CHECKS["get"]}, server=f"{option} check check-send-proxy inter 200ms")
    daemon.wait_for_log("request refused", reason="proxy_protocol")


def test_tls_of_haproxy_is_named_in_the_log(start_daemon, redis, start_haproxy):
    daemon = start_daemon(redis)
    start_haproxy(daemon, {"tls": CHECKS["get"]}, server="ssl verify none check inter 200ms")
    daemon.wait_for_log("request refused", reason="tls_on_plain_port")


# nginx as Debian has it speaks HTTP/1.0 to what it stands before, unless told otherwise.

_NGINX = """
{user}
daemon off;
pid {directory}/nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_http_version 1.0;
            proxy_pass http://127.0.0.1:{upstream};
        }}
    }}
}}
"""


@pytest.fixture
def nginx_port(cleanup, tmp_path, daemon):
    """The port of an nginx that passes everything to the daemon in HTTP/1.0."""
    if not nginx_module.program():
        missing("nginx")
    port = free_port()
    configuration = tmp_path / "nginx.conf"
    configuration.write_text(_NGINX.format(
        user="user root;" if os.geteuid() == 0 else "", directory=tmp_path, port=port,
        upstream=daemon.port))
    process = subprocess.Popen(
        [nginx_module.program(), "-p", str(tmp_path), "-e", str(tmp_path / "error.log"),
         "-c", str(configuration)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    cleanup.callback(lambda: (process.terminate(), process.wait(10)))

    def listens():
        assert process.poll() is None, (tmp_path / "error.log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_until(listens, "nginx to listen")
    return port


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics", "/health/"])
def test_nginx_passes_the_fixed_paths_on_in_http_1_0(nginx_port, path):
    assert http_get(nginx_port, path).status == 200


def test_a_websocket_through_nginx_in_http_1_0_is_told_why_not(nginx_port, daemon, channel):
    with socket.create_connection(("127.0.0.1", nginx_port), timeout=10) as connection:
        connection.sendall(upgrade_request("/" + channel))
        assert connection.recv(65536).startswith(b"HTTP/1.1 426 ")
    line = daemon.wait_for_log("request refused", path="/" + channel)
    assert (line["status"], line["error"]) == (426, "HTTP/1.0 has no upgrades")


# Other clients

@pytest.mark.parametrize("arguments", [
    ["-0"], ["--http1.1"], ["-I"], ["-0", "-I"], ["--http2"], ["-H", "Host:", "-0"],
    ["-H", "User-Agent: a", "-H", "User-Agent: b"], ["-X", "OPTIONS", "-0"],
], ids=" ".join)
@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics"])
def test_curl_is_answered(daemon, path, arguments):
    if not shutil.which("curl"):
        missing("curl")
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--max-time", "10", "--output", "/dev/null",
         "--write-out", "%{http_code}", *arguments, f"http://127.0.0.1:{daemon.port}{path}"],
        capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stdout) == (0, "200"), done.stderr


def test_http_2_with_prior_knowledge_is_named(start_daemon, redis):
    if not shutil.which("curl"):
        missing("curl")
    daemon = start_daemon(redis)
    subprocess.run(
        ["curl", "--silent", "--max-time", "10", "--http2-prior-knowledge",
         f"http://127.0.0.1:{daemon.port}/health"], capture_output=True, timeout=20)
    daemon.wait_for_log("request refused", reason="http2")


def test_ab_is_answered(daemon):
    if not shutil.which("ab"):
        missing("ab (apache2-utils)")
    done = subprocess.run(
        ["ab", "-q", "-n", "20", "-c", "4", f"http://127.0.0.1:{daemon.port}/health"],
        capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert "Complete requests:      20" in done.stdout
    assert "Non-2xx" not in done.stdout and "Failed requests:        0" in done.stdout


# What probes of others send, as their sources and captures show

PROBES = {
    "Kubernetes": "GET /ready HTTP/1.1\r\nHost: 10.244.0.7:9002\r\nUser-Agent: kube-probe/1.29\r\n"
                  "Accept: */*\r\nConnection: close\r\n\r\n",
    "AWS ALB": "GET /health HTTP/1.1\r\nHost: 10.0.3.17:9002\r\nConnection: close\r\n"
               "User-Agent: ELB-HealthChecker/2.0\r\nAccept-Encoding: gzip, compressed\r\n\r\n",
    "AWS classic": "GET /health HTTP/1.1\r\nHost: 10.0.3.17:9002\r\n"
                   "User-Agent: ELB-HealthChecker/1.0\r\nAccept: */*\r\nConnection: keep-alive\r\n\r\n",
    "Google": "GET /ready HTTP/1.1\r\nHost: 10.0.0.2\r\nUser-Agent: GoogleHC/1.0\r\n"
              "Connection: Keep-alive\r\n\r\n",
    "F5": "GET /health HTTP/1.1\r\nHost: \r\nConnection: Close\r\n\r\n",
    "F5 default": "GET /health\r\n",
    "Prometheus": "GET /metrics HTTP/1.1\r\nHost: status:9002\r\nUser-Agent: Prometheus/2.42.0\r\n"
                  "Accept: application/openmetrics-text;version=1.0.0,*/*;q=0.1\r\n"
                  "Accept-Encoding: gzip\r\nX-Prometheus-Scrape-Timeout-Seconds: 10\r\n\r\n",
    "wget --spider": "HEAD /health HTTP/1.1\r\nHost: localhost:9002\r\nUser-Agent: Wget\r\n"
                     "Accept: */*\r\nConnection: close\r\n\r\n",
}


@pytest.mark.parametrize("name", PROBES)
def test_a_probe_is_answered(daemon, raw, name):
    answer = raw(daemon).send(PROBES[name].encode()).read_to_end()
    status = int(answer.split(b" ")[1])
    # A request without a version is HTTP/0.9, which RFC 9112 has given up.
    assert status == (400 if name == "F5 default" else 200)
