"""Several event loops in one process: pages even over them, limits of the process, one way down."""

import ctypes
import os
import pathlib
import re
import signal
import threading

import pytest

from harness.daemon import run_to_end
from harness.raw import RawSocket, http_get, upgrade_request
from harness.waiting import wait_until

PAGES = 12
several = pytest.mark.parametrize("loops", [2, 4])


def connections(daemon, loops):
    """The WebSockets of each loop, as the metrics tell them."""
    return [daemon.metric(f'loop_connections{{loop="{loop}"}}') for loop in range(loops)]


def open_pages(open_page, daemon, channel, count=PAGES):
    """Pages on channels of their own: `run:status0`, `run:status1`, …"""
    return [open_page(daemon, f"{channel}{number}").live() for number in range(count)]


@several
def test_pages_are_even_over_the_loops_and_stay_so(start_daemon, redis, open_page, channel, loops):
    daemon = start_daemon(redis, STATUS_LOOPS=loops)
    assert daemon.logs[0]["loops"] == loops
    pages = open_pages(open_page, daemon, channel)
    assert connections(daemon, loops) == [PAGES // loops] * loops
    # Every loop loses one; who comes then fills the gaps.
    for page in pages[:loops]:
        page.close()
    daemon.wait_for_metric("connections_active", PAGES - loops)
    open_pages(open_page, daemon, channel + "again", loops)
    assert connections(daemon, loops) == [PAGES // loops] * loops


@several
def test_each_loop_relays_and_the_metrics_are_the_sum(
        start_daemon, redis, open_page, channel, loops):
    daemon = start_daemon(redis, STATUS_LOOPS=loops)
    pages = open_pages(open_page, daemon, channel)
    with redis.client() as client:
        for number in range(PAGES):
            assert client.publish(f"{channel}{number}", f"for {number}") == 1
    assert [page.status() for page in pages] == [f"for {number}" for number in range(PAGES)]
    # Connections for one request go to each loop in turn.
    for _ in range(loops):
        assert daemon.metric("messages_forwarded_total") == PAGES
        assert daemon.metric("messages_delivered_total") == PAGES
        assert daemon.metric('redis_links{state="live"}') == PAGES
        assert daemon.metric("connections_active") == PAGES
        assert daemon.metric("loops_unanswered") == 0
        assert daemon.get("/health").status == 200
        assert daemon.get("/ready").status == 200


def test_a_counter_never_falls_whichever_loop_is_asked(start_daemon, redis, open_page, channel):
    daemon = start_daemon(redis, STATUS_LOOPS=4)
    pages = open_pages(open_page, daemon, channel, 4)
    told = []
    asking = True

    def ask():
        while asking:
            told.append(daemon.metric("messages_delivered_total"))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    with redis.client() as client:
        for number in range(200):
            for page in range(4):
                client.publish(f"{channel}{page}", f"{number}")
    for page in pages:
        assert [page.status() for _ in range(200)][-1] == "199"
    asking = False
    for thread in threads:
        thread.join()
    assert daemon.metric("messages_delivered_total") == 800
    # Two ask at once: each of them in its own order.
    assert len(told) > 2 and max(told) <= 800


@several
def test_the_limit_of_websockets_is_that_of_the_process(
        start_daemon, redis, open_page, raw, channel, loops):
    daemon = start_daemon(redis, STATUS_LOOPS=loops, STATUS_MAX_CONNECTIONS=5)
    pages = open_pages(open_page, daemon, channel, 5)
    for _ in range(loops):
        refused = raw(daemon)
        refused.send(upgrade_request("/" + channel))
        assert refused.read_answer().status == 503
    pages[0].close()
    daemon.wait_for_metric("connections_active", 4)
    open_page(daemon, channel).live()
    assert daemon.metric('refusals_total{reason="connection_limit"}') == loops


def test_the_cap_of_an_address_is_that_of_the_process(start_daemon, redis, raw, channel):
    daemon = start_daemon(
        redis, STATUS_LOOPS=4, STATUS_MAX_CONNECTIONS_PER_ADDRESS=3,
        STATUS_TRUSTED_PROXIES="127.0.0.1")
    statuses = []
    for _ in range(6):
        page = raw(daemon)
        page.send(upgrade_request("/" + channel, X_Forwarded_For="203.0.113.7"))
        statuses.append(page.read_answer().status)
    assert statuses == [101] * 3 + [429] * 3


def test_the_dials_of_all_loops_pass_one_gate(start_daemon, redis, open_page, channel):
    daemon = start_daemon(
        redis, STATUS_LOOPS=4, STATUS_REDIS_DIAL_CONCURRENCY=1, STATUS_REDIS_DIAL_RATE=1000)
    pages = open_pages(open_page, daemon, channel)
    with redis.client() as client:
        client.client_kill_filter(_type="pubsub")
    daemon.wait_for_metric("redis_reconnects_total", PAGES)
    daemon.wait_for_metric('redis_links{state="live"}', PAGES)
    numbers = [line["link"] for line in daemon.log_lines("redis subscription established")]
    assert len(set(numbers)) == PAGES
    with redis.client() as client:
        for number in range(PAGES):
            client.publish(f"{channel}{number}", "again")
    assert [page.status() for page in pages] == ["again"] * PAGES


@several
def test_the_way_down_sends_the_pages_of_all_loops_away(
        start_daemon, redis, open_page, channel, loops):
    daemon = start_daemon(redis, STATUS_LOOPS=loops)
    pages = open_pages(open_page, daemon, channel)
    daemon.signal()
    for page in pages:
        types, code = page.end()
        assert code == 1012 and "hangup" not in types
    assert daemon.wait() == 0
    assert daemon.wait_for_log("draining: no more connections are taken")["connections"] == PAGES
    assert len(daemon.log_lines("shutdown signal received")) == 1
    assert len(daemon.log_lines("status2 stopped")) == 1
    assert len(daemon.log_lines("client disconnected", reason="shutdown")) == PAGES
    assert daemon.logs[-1]["msg"] == "status2 stopped"


def test_who_does_not_go_is_cut_off_on_every_loop(start_daemon, redis, raw, channel):
    daemon = start_daemon(redis, STATUS_LOOPS=4, STATUS_SHUTDOWN_TIMEOUT="1s")
    pages = [raw(daemon).upgrade(f"{channel}{number}") for number in range(8)]
    daemon.signal()
    assert daemon.wait(5) == 0
    assert len(daemon.log_lines("client disconnected", reason="shutdown")) == len(pages)


def test_a_second_signal_ends_all_loops_at_once(start_daemon, redis, open_page, channel):
    daemon = start_daemon(redis, STATUS_LOOPS=4, STATUS_DRAIN_DELAY="1m")
    open_pages(open_page, daemon, channel, 4)
    daemon.signal()
    daemon.wait_for_log("shutdown signal received")
    daemon.signal()
    assert daemon.wait(2) == 128 + signal.SIGTERM


def test_the_trace_switch_reaches_every_loop(start_daemon, redis, open_page, channel, tmp_path):
    trace = tmp_path / "trace"
    daemon = start_daemon(redis, "--trace-file", str(trace), STATUS_LOOPS=4)
    pages = open_pages(open_page, daemon, channel, 8)
    daemon.signal(signal.SIGUSR1)
    daemon.wait_for_log("trace switched on")
    # The switch has reached a loop when it answers for the metrics behind it.
    daemon.metric("connections_active")
    with redis.client() as client:
        for number in range(8):
            client.publish(f"{channel}{number}", f"payload-{number}-end")
    assert [page.status() for page in pages] == [f"payload-{number}-end" for number in range(8)]

    def traced():
        return re.findall(r"payload-(\d)-end", trace.read_text())

    wait_until(lambda: sorted(traced()) == [str(number) for number in range(8)], "eight payloads")
    # Whole lines, each beginning with its time.
    assert all(re.match(r"\d{4}-\d\d-\d\dT", line) for line in trace.read_text().splitlines())
    daemon.signal(signal.SIGUSR1)
    daemon.wait_for_log("trace switched off")
    assert len(daemon.log_lines("trace switched on")) == 1
    assert not (tmp_path / "trace.1").exists()


@several
def test_the_embedded_broker_serves_the_links_of_all_loops(
        start_daemon, open_page, channel, loops):
    daemon = start_daemon(None, "--embedded-redis=127.0.0.1:0", STATUS_LOOPS=loops)
    address = daemon.wait_for_log("embedded broker listening")["address"]
    pages = open_pages(open_page, daemon, channel)
    with RawSocket(int(address.rsplit(":", 1)[1])) as broker:
        for number in range(PAGES):
            broker.send(f"PUBLISH {channel}{number} for{number}\r\n".encode())
        assert [page.status() for page in pages] == [f"for{number}" for number in range(PAGES)]
    assert connections(daemon, loops) == [PAGES // loops] * loops
    daemon.signal()
    for page in pages:
        assert page.end()[1] == 1012
    assert daemon.wait() == 0


def test_a_start_that_cannot_be_ends_all_loops_with_one_line(start_redis):
    redis = start_redis("--requirepass", "right", password="right")
    url = f"redis://:wrong@127.0.0.1:{redis.port}/2"
    done = run_to_end(settings={
        "STATUS_LISTEN_ADDR": "127.0.0.1:0", "STATUS_REDIS_URL": url, "STATUS_LOOPS": "4"})
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and "WRONGPASS" in done.stderr


def test_a_fault_in_any_loop_ends_the_process_with_its_signal(start_daemon, redis):
    daemon = start_daemon(redis, STATUS_LOOPS=3)
    tasks = pathlib.Path(f"/proc/{daemon.process.pid}/task")
    named = {(task / "comm").read_text().strip(): int(task.name) for task in tasks.iterdir()}
    assert {"loop 1", "loop 2"} <= named.keys()
    # A fault is the thread's own: pthread_kill(3) for a thread of another process.
    assert ctypes.CDLL(None).tgkill(daemon.process.pid, named["loop 2"], signal.SIGABRT) == 0
    assert daemon.wait(5) == -signal.SIGABRT
    assert daemon.stderr == f"status2: ended by signal {int(signal.SIGABRT)}\n"


def test_there_is_a_loop_for_each_processor_that_the_process_may_use(start_daemon, redis):
    allowed = sorted(os.sched_getaffinity(0))
    assert start_daemon(redis, STATUS_LOOPS=None).logs[0]["loops"] == min(len(allowed), 64)
    try:
        os.sched_setaffinity(0, allowed[:1])
        assert start_daemon(redis, STATUS_LOOPS=None).logs[0]["loops"] == 1
    finally:
        os.sched_setaffinity(0, allowed)


def test_a_log_of_many_loops_has_whole_lines(start_daemon, redis, channel):
    daemon = start_daemon(redis, STATUS_LOOPS=4)
    sockets = [RawSocket(daemon.port) for _ in range(200)]
    for number, page in enumerate(sockets):
        page.send(upgrade_request(f"/{channel}{number}"))
    assert [page.read_answer().status for page in sockets] == [101] * 200
    for page in sockets:
        page.reset()
    daemon.wait_for_metric("connections_active", 0)
    # Each line is read as JSON here.
    wait_until(lambda: len(daemon.log_lines("client disconnected")) == 200, "all lines")
    assert len(daemon.log_lines("client connected")) == 200


def test_unanswered_connections_do_not_keep_a_loop_from_ending(start_daemon, redis, raw):
    daemon = start_daemon(redis, STATUS_LOOPS=2)
    silent = [raw(daemon) for _ in range(6)]
    assert http_get(daemon.port, "/health", {}).status == 200
    daemon.signal()
    assert daemon.wait(5) == 0
    assert len(silent) == 6


def test_a_window_longer_than_the_time_for_the_shutdown_cuts_nobody_off(
        start_daemon, redis, open_page):
    """The first loop may have no page left long before those of the others are due."""
    daemon = start_daemon(
        redis, STATUS_LOOPS="4", STATUS_DRAIN_WINDOW="4s", STATUS_SHUTDOWN_TIMEOUT="200ms")
    pages = [open_page(daemon, f"run{number}:status") for number in range(12)]
    daemon.signal()
    assert [page.end()[1] for page in pages] == [1012] * 12
    assert daemon.wait() == 0
