"""`status2-load` sees what a relay does wrong, and says so by its figures and its exit status."""

import json
import os
import pathlib
import shutil
import subprocess

import pytest

from harness.fake_relay import FakeRelay

ROOT = pathlib.Path(__file__).parent.parent.parent
LOAD = os.environ.get("STATUS2_LOAD_BINARY", str(ROOT / ".build/release/status2-load"))

PASSED, MISSED, USAGE, CANNOT_RUN = 0, 1, 2, 3


def _run(*arguments):
    return subprocess.run(
        [LOAD, *map(str, arguments)], capture_output=True, text=True, timeout=60)


def _load(relay, *arguments, sockets=10, rate=1000, duration="1s"):
    """Loads a relay; the exit status and the figures."""
    ended = _run(
        "--url", f"ws://127.0.0.1:{relay.port}/prefix", "--redis-url",
        f"redis://127.0.0.1:{relay.redis_port}", "--sockets", sockets, "--rate", rate,
        "--duration", duration, "--ramp", "100ms", "--ping-interval", "200ms", "--drain", "500ms",
        "--json", *arguments)
    assert ended.returncode in (PASSED, MISSED), ended.stderr
    return ended.returncode, json.loads(ended.stdout)


def test_a_relay_without_fault_passes():
    with FakeRelay() as relay:
        status, figures = _load(relay, "--p95-target", "2s", "--max-reconnects", 0)
    assert status == PASSED, figures
    assert figures["published"] == figures["delivered"] == 1000
    assert figures["lost"] == figures["missed"] == figures["repeated"] == 0
    assert figures["latency_ms"]["count"] == 1000
    assert figures["opened"] == 10


def test_one_in_a_thousand_that_is_lost_is_found():
    def drop(number, payload):
        return [] if number % 1000 == 500 else [payload]

    with FakeRelay(drop) as relay:
        status, figures = _load(relay, duration="3s")
    assert status == MISSED
    assert figures["lost"] == 3
    assert (figures["missed"], figures["repeated"], figures["reordered"]) == (0, 0, 0)
    assert figures["failures"] == ["3 messages were lost, 0 may be"]


def test_the_last_message_of_all_is_missed_too():
    with FakeRelay(lambda number, payload: [] if number == 1000 else [payload]) as relay:
        status, figures = _load(relay)
    assert (status, figures["lost"]) == (MISSED, 1)


def test_one_that_comes_twice_is_found():
    with FakeRelay(lambda number, payload: [payload] * (2 if number == 321 else 1)) as relay:
        status, figures = _load(relay)
    assert status == MISSED
    assert (figures["repeated"], figures["lost"], figures["reordered"]) == (1, 0, 0)
    assert figures["delivered"] == 1000


def test_two_that_are_swapped_are_found():
    held = []

    def swap(number, payload):
        if number == 400:
            held.append(payload)
            return []
        return [payload] + ([held.pop()] if held else [])

    with FakeRelay(swap) as relay:
        status, figures = _load(relay, sockets=1, rate=1000)
    assert status == MISSED
    assert (figures["reordered"], figures["lost"], figures["repeated"]) == (1, 0, 0)


def test_a_late_heartbeat_is_found_and_timed():
    with FakeRelay(ping_interval=lambda number: 0.7 if number == 1 else 0.2) as relay:
        status, figures = _load(
            relay, "--max-heartbeat-lateness", "300ms", sockets=3, rate=10, duration="2s")
    assert status == MISSED
    assert 450 < figures["heartbeat_lateness_ms"]["max"] < 900
    assert "heartbeat" in figures["failures"][0] and len(figures["failures"]) == 1


def test_heartbeats_that_never_come_again_are_late_too():
    with FakeRelay(ping_interval=lambda number: 30) as relay:
        status, figures = _load(
            relay, "--max-heartbeat-lateness", "500ms", sockets=3, rate=10, duration="1s")
    assert status == MISSED
    assert figures["heartbeat_lateness_ms"]["max"] > 500


def test_a_relay_that_holds_messages_back_cannot_hide_it():
    """A stall of half a second shows in every message that was due in it, not in one."""
    held = []

    def stall(number, payload):
        if 200 <= number < 700:
            held.append(payload)
            return []
        out = held + [payload]
        held.clear()
        return out

    with FakeRelay(stall) as relay:
        status, figures = _load(relay, "--p95-target", "50ms", sockets=1)
    assert status == MISSED
    assert figures["lost"] == 0
    # Half of the messages waited, from half a second down to nothing.
    assert figures["latency_ms"]["p90"] > 300 and figures["latency_ms"]["max"] > 450


def test_too_few_subscribers_are_no_loss_where_an_outage_is_meant_to_be():
    def fault(number, payload):
        return [] if number == 5 else [payload]

    with FakeRelay(fault, receivers=0) as relay:
        status, figures = _load(relay)
        assert (status, figures["missed"], figures["lost"]) == (MISSED, 1, 0)
    with FakeRelay(fault, receivers=0) as relay:
        status, figures = _load(relay, "--scenario", "reconnect")
        assert (status, figures["missed"], figures["lost"]) == (PASSED, 1, 0)


def test_pages_may_come_from_several_addresses():
    with FakeRelay() as relay:
        status, figures = _load(relay, "--source-addresses", "127.0.0.2,127.0.0.3")
        peers = {host for host, _ in relay.peers}
    assert (status, figures["delivered"]) == (PASSED, 1000)
    assert peers == {"127.0.0.2", "127.0.0.3"}


def test_a_second_process_may_publish():
    with FakeRelay() as relay:
        listening = subprocess.Popen(
            [LOAD, "--url", f"ws://127.0.0.1:{relay.port}", "--sockets", "5", "--no-publish",
             "--duration", "4s", "--ramp", "100ms", "--drain", "100ms", "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for line in listening.stderr:
            if line.startswith("measuring: 5 of 5"):
                break
        publishing = _run(
            "--sockets", 0, "--channels", 5, "--rate", 100, "--duration", "1s", "--json",
            "--redis-url", f"redis://127.0.0.1:{relay.redis_port}")
        out, _ = listening.communicate(timeout=30)
    assert publishing.returncode == PASSED and json.loads(publishing.stdout)["published"] == 100
    figures = json.loads(out)
    assert listening.returncode == PASSED, figures
    assert (figures["delivered"], figures["lost"], figures["repeated"]) == (100, 0, 0)


@pytest.mark.parametrize("arguments", [
    ("--url", "wss://127.0.0.1"), ("--sockets", "-1"), ("--rate", "-1"), ("--duration", "5"),
    ("--max-loss", "x"), ("--scenario", "none-such"), ("--redis-url", "rediss://h"),
    ("--payload-bytes", "5"), ("--channel-prefix", "a/b"), ("--p95-target", "-5ms")])
def test_a_command_line_that_cannot_be_used(arguments):
    ended = _run(*[f"{arguments[0]}={arguments[1]}"])
    assert ended.returncode == USAGE, ended.stderr
    assert arguments[0] in ended.stderr or arguments[1] in ended.stderr


def test_what_cannot_run_says_why():
    with FakeRelay() as relay:
        redis = f"redis://127.0.0.1:{relay.redis_port}"
        ended = _run("--url", "ws://127.0.0.1:1", "--redis-url", redis, "--sockets", "2",
                     "--duration", "100ms", "--drain", "10ms")
        assert ended.returncode == CANNOT_RUN and "refused" in ended.stderr
        ended = _run("--redis-url", redis, "--sockets", "999999")
        assert ended.returncode == CANNOT_RUN and "descriptors" in ended.stderr
        ended = _run("--redis-url", "redis://127.0.0.1:1", "--sockets", "1")
        assert ended.returncode == CANNOT_RUN and "no connection to Redis" in ended.stderr
    assert ended.stdout == ""


@pytest.mark.skipif(not shutil.which("node"), reason="node, which checks the syntax, is not there")
def test_the_k6_script_is_sound_javascript(tmp_path):
    script = tmp_path / "k6-status2.mjs"
    script.write_text((ROOT / "Load/k6-status2.js").read_text())
    checked = subprocess.run(["node", "--check", script], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
