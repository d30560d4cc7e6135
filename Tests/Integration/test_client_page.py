"""The client in headless Chromium, over what breaks between a page and its messages: each message
comes once, also those of the time in which the page was away; or a gap notice covers it."""

import signal

import pytest

from chaos.fault_proxy import FaultProxy
from harness import client_trials
from harness.client_page import Numbers, Site, Tab, assert_accounted, settle, some_more
from harness.waiting import free_port, wait_until

pytestmark = pytest.mark.browser

# Short, so that silence is noticed soon: by a second, the least that the client waits for.
_SETTINGS = {"STATUS_PING_INTERVAL": "300ms", "STATUS_GAP_NOTICES": "true"}


@pytest.fixture
def site(cleanup):
    site = Site()
    cleanup.callback(site.stop)
    return site


@pytest.fixture
def server(start_redis):
    return start_redis()


@pytest.fixture
def open_daemon(start_daemon, server):
    """Starts a daemon on a port that it has again after a restart."""
    listen = f"127.0.0.1:{free_port()}"

    def open(**settings):
        return start_daemon(server, **(_SETTINGS | {"STATUS_LISTEN_ADDR": listen} | settings))

    return open


@pytest.fixture
def proxy(cleanup, open_daemon):
    """A daemon behind a proxy that injects faults."""
    proxy = FaultProxy(open_daemon().port)
    cleanup.callback(proxy.stop)
    return proxy


@pytest.fixture
def open_tab(browser, site, channel, cleanup):
    """Opens tabs, and closes all but the first at the end."""
    first = browser.current_window_handle
    opened = []

    def close():
        for tab in opened:
            tab.run("stream.close()")
            if tab.handle != first:
                browser.close()
        browser.switch_to.window(first)

    cleanup.callback(close)

    def open(target, new=False):
        tab = Tab(browser, site, target, channel, new=new)
        opened.append(tab)
        tab.wait_for_state("live")
        return tab

    return open


@pytest.fixture
def publish(server, channel, cleanup):
    """Begins to publish numbers, a hundred a second."""

    def start(**options):
        numbers = Numbers(server, channel, **options)
        cleanup.callback(numbers.stop)
        return numbers.start()

    return start


def test_undisturbed_every_message_comes_once_and_no_gap_is_told(proxy, open_tab, publish):
    tab = open_tab(proxy)
    numbers = publish()
    some_more(tab, 100)
    settle(tab, numbers)
    assert assert_accounted(tab, numbers, first=0) == 0
    assert tab.gaps == [] and tab.connects == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_of_the_daemon(open_daemon, open_tab, publish, number):
    daemon = open_daemon()
    client_trials.restart_of_the_daemon(open_tab(daemon), daemon, open_daemon, publish(), number)


def test_a_restart_of_redis_leaves_the_socket_and_tells_of_a_gap(
        open_daemon, server, open_tab, publish):
    client_trials.restart_of_redis(open_tab(open_daemon()), server, publish())


def test_resets(proxy, open_tab, publish):
    client_trials.resets(open_tab(proxy), proxy, publish(), 3)


def test_a_black_hole_is_noticed_and_left(proxy, open_tab, publish):
    client_trials.black_hole(open_tab(proxy), proxy, publish())


def test_a_page_that_was_frozen_goes_on(proxy, open_tab, publish):
    """A laptop that sleeps, or a tab that the browser has put to rest. Chromium reads on for the
    page meanwhile, and when it wakes it ends the socket with what it has not handed over."""
    tab = open_tab(proxy)
    numbers = publish()
    some_more(tab)
    tab.command("Page.setWebLifecycleState", state="frozen")
    begun = len(numbers.times)
    wait_until(lambda: len(numbers.times) > begun + 200, "two seconds of messages")
    tab.command("Page.setWebLifecycleState", state="active")
    tab.wait_for_connects(2)
    some_more(tab)
    settle(tab, numbers)
    assert assert_accounted(tab, numbers, first=0) == 0
    assert tab.gaps == []


def test_a_page_that_was_frozen_while_its_socket_ended_comes_back(proxy, open_tab, publish):
    tab = open_tab(proxy)
    numbers = publish()
    some_more(tab)
    tab.command("Page.setWebLifecycleState", state="frozen")
    proxy.reset()
    begun = len(numbers.times)
    wait_until(lambda: len(numbers.times) > begun + 100, "a second of messages")
    tab.command("Page.setWebLifecycleState", state="active")
    tab.wait_for_connects(2)
    some_more(tab)
    settle(tab, numbers)
    assert assert_accounted(tab, numbers, first=0) == 0
    assert tab.gaps == []


def test_a_page_whose_thread_is_busy_is_not_taken_for_silent(proxy, open_tab, publish):
    tab = open_tab(proxy)
    numbers = publish()
    wait_until(lambda: len(tab.messages) >= 250, "two and a half seconds of messages")
    # Three times as long as the silence that it would take for the end.
    tab.run("const end = performance.now() + 3000; while (performance.now() < end);")
    some_more(tab)
    settle(tab, numbers)
    assert assert_accounted(tab, numbers, first=0) == 0
    assert tab.connects == 1


def test_a_page_that_is_slow_with_each_message_hears_all_of_them(proxy, open_tab, publish):
    tab = open_tab(proxy)
    # Half as fast as they come.
    tab.run("work = () => { const end = performance.now() + 20; while (performance.now() < end); };")
    numbers = publish()
    wait_until(lambda: len(numbers.times) > 150, "a second and a half of messages")
    settle(tab, numbers)
    assert assert_accounted(tab, numbers, first=0) == 0
    assert tab.connects == 1


def test_a_page_behind_a_narrow_pipe_is_cut_off_and_misses_nothing_it_is_not_told_of(
        open_daemon, cleanup, open_tab, publish):
    daemon = open_daemon(STATUS_WRITE_TIMEOUT="500ms")
    proxy = FaultProxy(daemon.port, buffer=4096)
    cleanup.callback(proxy.stop)
    tab = open_tab(proxy)
    numbers = publish(interval=0.002, width=4000)
    some_more(tab)
    proxy.to_client.rate = 3000
    daemon.wait_for_log("client disconnected", reason="slow_client", timeout=30)
    proxy.heal()
    tab.wait_for_connects(2)
    some_more(tab)
    settle(tab, numbers)
    assert_accounted(tab, numbers, first=0)


def test_two_tabs_each_have_every_message(proxy, open_tab, publish, browser):
    first = open_tab(proxy)
    second = open_tab(proxy, new=True)
    numbers = publish()
    some_more(second)
    proxy.reset()
    # The first is in the background, where its timers come once a second.
    second.wait_for_connects(2)
    wait_until(lambda: first.connects >= 2, "the first tab to come back")
    some_more(second)
    settle(second, numbers)
    for tab in (first, second):
        tab.wait_for_message(numbers.last)
        assert assert_accounted(tab, numbers, first=0) == 0
        assert tab.gaps == []


def test_offline_and_online_again_cuts_the_wait_short(proxy, open_tab, publish):
    tab = open_tab(proxy)
    numbers = publish()
    some_more(tab)
    tab.command("Network.enable")
    offline = {"offline": True, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    tab.command("Network.emulateNetworkConditions", **offline)
    proxy.reset()
    wait_until(lambda: len(tab.closes) >= 4, "four attempts in vain")
    tab.command("Network.emulateNetworkConditions", **(offline | {"offline": False}))
    # After four failures the wait is up to 16 s; the word of the browser makes it one second.
    tab.wait_for_connects(5, timeout=5)
    some_more(tab)
    settle(tab, numbers)
    assert assert_accounted(tab, numbers, first=0) == 0
    assert tab.gaps == []


def test_a_page_from_the_cache_of_pages_goes_on_where_it_was(
        proxy, open_tab, publish, browser, site):
    tab = open_tab(proxy)
    numbers = publish()
    some_more(tab)
    tab.run("window.isTheSame = true")
    browser.get(f"http://{site.address}/deployed.html#x:y")
    browser.back()
    wait_until(lambda: tab.run("return window.isTheSame"), "the page as it was")
    tab.wait_for_connects(2)
    some_more(tab)
    settle(tab, numbers)
    assert assert_accounted(tab, numbers, first=0) == 0
    assert tab.gaps == []


def test_the_client_is_an_es_module_too(browser, site, proxy, channel):
    browser.get(f"http://{site.address}/module.html")
    state = browser.execute_async_script("""
        const [url, run, channel, done] = arguments;
        import("/status-stream.mjs").then(({ connect }) => {
          const stream = connect(url, run, channel, { onState: (state) => {
            if (state !== "live") return;
            stream.close();
            done(stream.state);
          } });
        }, (error) => done(String(error)));""", f"ws://{proxy.address}/", *channel.split(":"))
    assert state == "closed"


def test_a_query_is_nothing_to_a_service_that_knows_none(proxy, open_tab, publish):
    """The client's own word where nothing can be resumed: it tells of every absence."""
    tab = open_tab(proxy)
    tab.run("""
        stream.close();
        window.plain = [];
        window.other = StatusStream.connect(url, run, channel, {
          resume: false, onMessage: (data) => plain.push(data), onGap: (gap) => plain.push(gap.reason),
        });""")
    wait_until(lambda: tab.run("return other.state") == "live", "the other stream")
    publish()
    wait_until(lambda: tab.run("return plain.length") > 5, "messages")
    proxy.reset()
    wait_until(lambda: "reconnect" in tab.run("return plain"), "a gap of the client's own")
    tab.run("other.close()")
