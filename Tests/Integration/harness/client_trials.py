"""What befalls a page with the client, in whichever browser, and what it must have to show for it."""

import signal

from harness.client_page import assert_accounted, settle, some_more
from harness.waiting import wait_until


def resets(tab, proxy, numbers, times):
    """Its connection is reset so many times: it misses nothing."""
    for count in range(2, 2 + times):
        some_more(tab)
        proxy.reset()
        tab.wait_for_connects(count)
    some_more(tab)
    settle(tab, numbers)
    assert assert_accounted(tab, numbers, first=0) == 0
    assert tab.gaps == []
    assert tab.closes == [1006] * times


def restart_of_the_daemon(tab, daemon, start_again, numbers, number):
    """The daemon is ended by this signal and started again: the new one does not have what the old
    one had, and says so."""
    some_more(tab)
    daemon.signal(number)
    daemon.wait()
    start_again()
    tab.wait_for_connects(2)
    some_more(tab)
    settle(tab, numbers)
    assert_accounted(tab, numbers, first=0)
    assert tab.closes[0] == (1012 if number == signal.SIGTERM else 1006)
    assert [gap[0] for gap in tab.gaps] == ["resume"]


def restart_of_redis(tab, redis, numbers):
    """Redis is away for a time: the socket stays, and the page is told."""
    some_more(tab)
    redis.kill()
    tab.wait_for_state("outage")
    redis.start()
    tab.wait_for_state("live")
    some_more(tab)
    settle(tab, numbers)
    assert_accounted(tab, numbers, first=0)
    assert tab.connects == 1
    assert [gap[0] for gap in tab.gaps] == ["redis_outage"]


def black_hole(tab, proxy, numbers):
    """Nothing comes any more and nothing ends: the page notices and leaves, and misses nothing."""
    # The interval of the pings is known after some of them.
    wait_until(lambda: len(tab.messages) >= 250, "two and a half seconds of messages")
    proxy.black_hole()
    wait_until(lambda: 0 in tab.closes, "the page to give up")
    proxy.heal()
    tab.wait_for_connects(2)
    some_more(tab)
    settle(tab, numbers)
    assert assert_accounted(tab, numbers, first=0) == 0
    assert tab.gaps == []
