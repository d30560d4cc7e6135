"""What must add up: the ledger, the descriptors, the log, and what clients have seen."""

import collections
import json
import os
import re

from harness.waiting import wait_until

_SAMPLE = re.compile(r'^([a-zA-Z_:][\w:]*)(?:\{(\w+)="([^"]*)"(?:,[^}]*)?\})? (\S+)$')

# A gap begins at the last instant at which the daemon had read all that was there. What was under way then was published
# earlier by the time that it takes on the way and, on a busy machine, by the daemon's own delay.
_UNDER_WAY_MS = 200


class Scrape:
    """The metrics at one instant."""

    def __init__(self, daemon):
        answer = daemon.get("/metrics")
        assert answer.status == 200, answer
        self.text = answer.body.decode()
        self._samples = {}
        self._labelled = collections.defaultdict(dict)
        for line in self.text.splitlines():
            if line.startswith("#"):
                continue
            name, _, label, value = _SAMPLE.match(line).groups()
            value = float(value)
            value = int(value) if value.is_integer() else value
            if label is None:
                self._samples[name] = value
            else:
                self._labelled[name][label] = value

    def __getitem__(self, name):
        """The value of a metric without labels; `status2_` may be left out."""
        for candidate in (name, f"status2_{name}"):
            if candidate in self._samples:
                return self._samples[candidate]
        raise KeyError(name)

    def by(self, name):
        """The values of a metric by its one label; 0 for a value that is not there."""
        return collections.defaultdict(int, self._labelled[f"status2_{name}"])

    def total(self, name):
        """The sum over the label's values."""
        return sum(self.by(name).values())

    @property
    def dropped(self):
        return self.total("messages_dropped_total")

    def assert_balance(self):
        """received = delivered + queued + dropped, and no connection has ever been off."""
        received = self["messages_received_total"]
        parts = (self["messages_delivered_total"], self["messages_queued"], self.dropped)
        assert received == sum(parts), f"received {received}, delivered, queued, dropped {parts}"
        assert self["ledger_imbalances_total"] == 0
        return self


def descriptors(daemon):
    """The daemon's open descriptors, as the kernel counts them."""
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))


def memory(daemon, name="VmRSS"):
    """Bytes of the daemon's memory; `VmHWM` is the most that it ever had."""
    with open(f"/proc/{daemon.process.pid}/status") as status:
        for line in status:
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
    raise AssertionError(f"the kernel tells no {name}")


def assert_sound(daemon, descriptors_at_start):
    """The common end of every drill: nobody is left, nothing has leaked, and all adds up."""
    assert daemon.is_running, daemon.output
    assert daemon.get("/health").status == 200
    daemon.wait_for_metric("connections_active", 0)
    wait_until(
        lambda: descriptors(daemon) <= descriptors_at_start,
        f"{descriptors_at_start} descriptors at most, as at the start", 15)
    scrape = Scrape(daemon).assert_balance()
    assert scrape["messages_queued"] == scrape["queued_bytes"] == 0
    # The scrape's own connection is open while it is answered.
    assert scrape["process_open_fds"] <= descriptors_at_start + 1
    assert_log_well_formed(daemon)
    if scrape["log_lines_dropped_total"] == 0:
        assert_log_adds_up(daemon, scrape)


def assert_log_well_formed(daemon):
    """Every line is a JSON object with the members that every line has."""
    for line in list(daemon.lines):
        fields = json.loads(line)
        assert {"time", "level", "msg", "component"} <= fields.keys(), line
        assert fields["level"] in ("debug", "info", "warn", "error"), line
    assert daemon.stderr == ""


def assert_log_adds_up(daemon, scrape):
    """The ledgers that connections left in the log are balanced and sum up to the metrics."""
    # The log is written behind the daemon's back, and read behind this test's.
    ended = scrape.total("connections_ended_total")
    if ended:
        daemon.wait_for_log("client disconnected", count=ended)
    sums = collections.Counter()
    for line in daemon.log_lines("client disconnected"):
        # What still waited at the end was dropped with the connection.
        assert line["received"] == line["delivered"] + line["dropped"], line
        assert line["unsent"] <= line["dropped"], line
        for name in ("received", "delivered", "dropped"):
            sums[name] += line[name]
    assert sums["received"] == scrape["messages_received_total"]
    assert sums["delivered"] == scrape["messages_delivered_total"]
    assert sums["dropped"] == scrape.dropped


def assert_delivery(publisher, clients, gaps=True):
    """Each client saw its channel in order and each message once; what it missed is explained.

    A message that is missing must lie in an interval that a gap notice named; with `gaps=False`
    nothing may be missing at all. Returns how many are missing.
    """
    missing_in_all = 0
    for client in clients:
        assert not client["strange"], client["strange"][:3]
        numbers = [message[0] for message in client["messages"]]
        assert all(one < next for one, next in zip(numbers, numbers[1:])), \
            f"{client['channel']} was repeated or out of order: {_disorder(numbers)}"
        missing = [
            sent for sent in publisher.sent[client["channel"]]
            if sent.before_ms > client["live_at"] and sent.number not in set(numbers)]
        missing_in_all += len(missing)
        if gaps:
            lost = [sent for sent in missing
                    if not _is_in_gap(sent, client["gaps"])]
            assert not lost, f"lost outside the gaps {client['gaps']}: {lost[:5]}"
        else:
            assert not missing, f"lost on {client['channel']}: {missing[:5]}"
            assert not client["gaps"], client["gaps"]
    return missing_in_all


def _disorder(numbers):
    return [pair for pair in zip(numbers, numbers[1:]) if pair[0] >= pair[1]][:5]


def _is_in_gap(sent, gaps):
    return any(
        gap["from_ms"] - _UNDER_WAY_MS <= sent.after_ms
        and sent.before_ms <= gap["to_ms"] + 5
        for gap in gaps)
