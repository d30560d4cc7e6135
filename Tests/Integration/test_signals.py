"""Signals as a container, a terminal and an operator send them, and closed standard streams."""

import itertools
import os
import shutil
import signal
import subprocess

import pytest

from harness import daemon as daemon_module
from harness.raw import CLOSE, http_get
from harness.waiting import free_port, wait_until

SHUTDOWN_SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT]
FAULT_SIGNALS = [
    signal.SIGILL, signal.SIGTRAP, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGSEGV,
    signal.SIGSYS, signal.SIGXCPU, signal.SIGSTKFLT]
IDLE_SIGNALS = [
    signal.SIGUSR2, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGIO, signal.SIGPWR,
    signal.SIGXFSZ, signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH, signal.SIGCONT, signal.SIGPIPE,
    signal.SIGRTMIN, signal.SIGRTMIN + 7, signal.SIGRTMAX]
# As a person has it who knows nothing of Swift: its runtime prints backtraces with memory.
BACKTRACE = {"SWIFT_BACKTRACE": "enable=yes"}
PASSWORD = "s3cret-pa55-of-a-fault"
SECOND_LINE = "status2: ended at once by a second signal\n"


@pytest.mark.parametrize("number", SHUTDOWN_SIGNALS)
def test_a_shutdown_signal_closes_the_pages_and_ends_with_0(
        start_daemon, redis, open_page, channel, number):
    daemon = start_daemon(redis)
    page = open_page(daemon, channel).live()
    daemon.signal(number)
    assert page.end()[1] == 1012
    assert daemon.wait() == 0


@pytest.mark.parametrize("second", SHUTDOWN_SIGNALS)
@pytest.mark.parametrize("first", SHUTDOWN_SIGNALS)
def test_a_second_signal_ends_the_process_at_once(start_daemon, redis, raw, channel, first, second):
    daemon = start_daemon(redis, STATUS_SHUTDOWN_TIMEOUT="1m")
    connection = raw(daemon).upgrade(channel)
    daemon.signal(first)
    connection.read_until(CLOSE)
    daemon.signal(second)
    assert daemon.wait(1) == 128 + second
    assert daemon.stderr == SECOND_LINE


def test_two_signals_before_the_first_is_handled_end_it_too(start_daemon, redis, raw, channel):
    daemon = start_daemon(redis, STATUS_SHUTDOWN_TIMEOUT="1m")
    raw(daemon).upgrade(channel)
    daemon.signal(signal.SIGSTOP)
    daemon.signal(signal.SIGTERM)
    daemon.signal(signal.SIGINT)
    daemon.signal(signal.SIGCONT)
    assert daemon.wait(2) in (128 + signal.SIGTERM, 128 + signal.SIGINT)
    assert daemon.log_lines("shutdown signal received")


def test_a_hangup_that_the_process_was_started_to_ignore_stays_ignored(redis):
    daemon = daemon_module.Daemon(
        {"STATUS_REDIS_URL": redis.url},
        before=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    try:
        daemon.wait_ready()
        daemon.signal(signal.SIGHUP)
        # The signal after it is handled, so the first one has been by then.
        daemon.signal(signal.SIGTERM)
        assert daemon.wait() == 0
        assert daemon.log_lines("shutdown signal received")[0]["signal"] == signal.SIGTERM
    finally:
        daemon.stop()


# Signals that mean that something has gone wrong, and those that mean nothing

@pytest.mark.parametrize("number", FAULT_SIGNALS, ids=lambda number: number.name)
def test_a_fault_ends_the_process_with_its_signal_and_prints_no_memory(
        start_daemon, start_redis, open_page, channel, number):
    redis = start_redis("--requirepass", PASSWORD, password=PASSWORD)
    daemon = start_daemon(redis, REDIS_PASSWORD=PASSWORD, STATUS_REDIS_URL=None,
                          REDIS_PORT=redis.port, **BACKTRACE)
    open_page(daemon, channel).live()
    daemon.signal(number)
    assert daemon.wait(5) == -number
    assert daemon.stderr == f"status2: ended by signal {number.value}\n"
    assert PASSWORD not in daemon.output


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGSEGV, signal.SIGQUIT])
def test_a_command_ends_with_its_signal_as_well(number):
    process = subprocess.Popen(
        [str(daemon_module.binary()), "decode", "resp"], env=BACKTRACE, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        # What is decoded is printed at once, so it is running by then.
        process.stdin.write(b"+OK\r\n")
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(number)
        _, errors = process.communicate(timeout=5)
        assert process.returncode == -number
        assert len(errors.splitlines()) <= 1
    finally:
        process.kill()


def test_a_signal_without_a_meaning_changes_nothing(start_daemon, redis, open_page, channel):
    daemon = start_daemon(redis, **BACKTRACE)
    page = open_page(daemon, channel).live()
    for number in IDLE_SIGNALS:
        daemon.signal(number)
    page.init()
    page.next_of("ping")
    assert daemon.get("/health").status == 200
    assert daemon.stderr == "" and not daemon.log_lines("shutdown signal received")


# As process 1 of a container, for which the kernel has no default actions

class _Contained:
    """The daemon as process 1 of a namespace of its own."""

    def __init__(self, redis):
        self.port = free_port()
        self.unshare = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--kill-child", str(daemon_module.binary())],
            env={"PATH": os.environ["PATH"], "STATUS_REDIS_URL": redis.url,
                 "STATUS_LISTEN_ADDR": f"127.0.0.1:{self.port}", "STATUS_SHUTDOWN_TIMEOUT": "1m"},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_until(self._is_ready, "the daemon to be ready")
        with open(f"/proc/{self.unshare.pid}/task/{self.unshare.pid}/children") as children:
            self.pid = int(children.read().split()[0])

    def _is_ready(self):
        assert self.unshare.poll() is None, self.unshare.stderr.read()
        try:
            return http_get(self.port, "/ready").status == 200
        except OSError:
            return False

    def signal(self, number):
        os.kill(self.pid, number)

    def stop(self):
        if self.unshare.poll() is None:
            self.unshare.kill()
        self.unshare.communicate()


@pytest.fixture
def contained(cleanup, redis):
    if os.geteuid() != 0 or shutil.which("unshare") is None or subprocess.run(
            ["unshare", "--pid", "--fork", "true"], capture_output=True).returncode != 0:
        pytest.skip("a PID namespace needs unshare, root and CAP_SYS_ADMIN")
    started = _Contained(redis)
    cleanup.callback(started.stop)
    return started


@pytest.mark.parametrize("second", SHUTDOWN_SIGNALS)
def test_as_process_1_a_second_signal_ends_it_at_once(contained, raw, channel, second):
    connection = raw(contained).upgrade(channel)
    contained.signal(signal.SIGTERM)
    connection.read_until(CLOSE)
    contained.signal(second)
    assert contained.unshare.wait(2) == 128 + second


@pytest.mark.parametrize("number", SHUTDOWN_SIGNALS)
def test_as_process_1_a_signal_ends_it_cleanly(contained, number):
    contained.signal(number)
    assert contained.unshare.wait(5) == 0


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGSEGV])
def test_as_process_1_a_fault_ends_it(contained, number):
    contained.signal(number)
    # The kernel gives process 1 no default action, so the status tells of the signal.
    assert contained.unshare.wait(5) == 128 + number


# Closed standard streams

_STREAMS = [
    streams for count in (1, 2, 3) for streams in itertools.combinations((0, 1, 2), count)]


@pytest.mark.parametrize("streams", _STREAMS, ids=str)
def test_closed_standard_streams_become_dev_null(redis, cleanup, streams):
    port = free_port()

    def close():
        for stream in streams:
            os.close(stream)

    process = subprocess.Popen(
        [str(daemon_module.binary()), "--listen-addr", f"127.0.0.1:{port}", "--log-level", "debug",
         "--redis-url", redis.url],
        env={"PATH": os.environ["PATH"]}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, preexec_fn=close)
    cleanup.callback(process.kill)

    def is_ready():
        assert process.poll() is None
        try:
            return http_get(port, "/ready").status == 200
        except OSError:
            return False

    wait_until(is_ready, "the daemon to be ready")
    for stream in range(3):
        assert os.readlink(f"/proc/{process.pid}/fd/{stream}") == "/dev/null"
    # Each request leaves lines in the log, which must go nowhere else.
    for _ in range(20):
        answer = http_get(port, "/bad")
        assert (answer.status, answer.body) == (400, b"invalid channel")
    process.terminate()
    assert process.wait(10) == 0
