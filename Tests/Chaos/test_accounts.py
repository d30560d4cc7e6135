"""The accounts find what they are there to find."""

from types import SimpleNamespace

import pytest

from chaos.accounts import Scrape, assert_delivery
from chaos.publisher import Sent

pytestmark = pytest.mark.quick

CHANNEL = "run:chaos"
GAP = {"type": "gap", "reason": "redis_outage", "from_ms": 3_000, "to_ms": 4_000}


def _publisher(count=6):
    """One message a second, from the first second on; each was handed to a subscriber."""
    sent = [Sent(number, 1000 * number, 1000 * number + 1, 1) for number in range(1, count + 1)]
    return SimpleNamespace(sent={CHANNEL: sent})


def _client(*numbers, gaps=(), strange=()):
    return {"channel": CHANNEL, "live_at": 500, "gaps": list(gaps), "strange": list(strange),
            "messages": [(number, 1, 1000 * number) for number in numbers]}


def test_a_stream_without_loss_is_accepted():
    assert assert_delivery(_publisher(), [_client(1, 2, 3, 4, 5, 6)], gaps=False) == 0


def test_what_was_published_before_a_client_was_live_is_not_missed():
    late = _client(3, 4, 5, 6) | {"live_at": 2_500}
    assert assert_delivery(_publisher(), [late], gaps=False) == 0


def test_a_loss_inside_a_gap_is_accepted_and_counted():
    assert assert_delivery(_publisher(), [_client(1, 2, 5, 6, gaps=[GAP])]) == 2


@pytest.mark.parametrize("numbers", [(1, 2, 3, 5, 6), (1, 2, 3, 4, 5), (2, 3, 4, 5, 6)])
def test_a_loss_without_a_gap_is_found(numbers):
    with pytest.raises(AssertionError, match="lost"):
        assert_delivery(_publisher(), [_client(*numbers)])


def test_a_loss_outside_the_gap_is_found():
    with pytest.raises(AssertionError, match="lost outside the gaps"):
        assert_delivery(_publisher(), [_client(1, 2, 3, 4, 6, gaps=[GAP])])


@pytest.mark.parametrize("numbers", [(1, 2, 2, 3, 4, 5, 6), (1, 3, 2, 4, 5, 6)])
def test_repetition_and_disorder_are_found(numbers):
    with pytest.raises(AssertionError, match="repeated or out of order"):
        assert_delivery(_publisher(), [_client(*numbers)])


def test_a_notice_without_a_cause_is_found():
    with pytest.raises(AssertionError):
        assert_delivery(_publisher(), [_client(1, 2, 3, 4, 5, 6, gaps=[GAP])], gaps=False)


def test_a_message_of_another_channel_is_found():
    with pytest.raises(AssertionError):
        assert_delivery(_publisher(), [_client(1, 2, 3, 4, 5, 6, strange=["other:chaos#1#0"])])


def _scrape(received, delivered, queued, dropped, imbalances=0):
    text = (
        f"status2_messages_received_total {received}\n"
        f"status2_messages_delivered_total {delivered}\n"
        f"status2_messages_queued {queued}\n"
        f'status2_messages_dropped_total{{reason="closing"}} {dropped}\n'
        f'status2_messages_dropped_total{{reason="slow_client"}} 0\n'
        f"status2_ledger_imbalances_total {imbalances}\n")
    answer = SimpleNamespace(status=200, body=text.encode())
    return Scrape(SimpleNamespace(get=lambda _: answer))


def test_a_ledger_that_balances_is_accepted():
    assert _scrape(10, 6, 3, 1).assert_balance().dropped == 1


@pytest.mark.parametrize("parts", [(10, 6, 3, 0), (10, 6, 3, 2), (10, 10, 0, 0, 1)])
def test_a_ledger_that_does_not_balance_is_found(parts):
    with pytest.raises(AssertionError):
        _scrape(*parts).assert_balance()
