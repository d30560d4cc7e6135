"""The browser's client, the deployed page script and the console, in Chromium and in Firefox."""

import shutil
import signal

import pytest

from chaos.fault_proxy import FaultProxy
from compat import firefox
from conftest import PAYLOADS, REPOSITORY, as_text, missing
from harness import browser as chromium
from harness import client_trials, nginx
from harness.client_page import Numbers, Site, Tab
from harness.waiting import free_port, wait_until

DEPLOYED_PAGE = REPOSITORY / "Tests/Integration/harness/deployed_page.html"
CHANNEL = "run;;1:status"

# Short, so that silence is noticed soon: by a second, the least that the client waits for.
SETTINGS = {"STATUS_PING_INTERVAL": "300ms", "STATUS_GAP_NOTICES": "true"}


@pytest.fixture(scope="module", params=["chromium", "firefox"])
def browser(request):
    module = {"chromium": chromium, "firefox": firefox}[request.param]
    if not module.is_installed():
        missing(request.param)
    started = chromium.start() if request.param == "chromium" else firefox.Firefox()
    yield started
    started.quit()


@pytest.fixture
def site(cleanup):
    site = Site()
    cleanup.callback(site.stop)
    return site


@pytest.fixture
def open_daemon(start_daemon, redis):
    """Starts a daemon on a port that it has again after a restart."""
    listen = f"127.0.0.1:{free_port()}"

    def open(**settings):
        return start_daemon(redis, **(SETTINGS | {"STATUS_LISTEN_ADDR": listen} | settings))

    return open


@pytest.fixture
def open_tab(browser, site, cleanup):
    def open(target):
        tab = Tab(browser, site, target, CHANNEL)
        cleanup.callback(tab.run, "stream.close()")
        tab.wait_for_state("live")
        return tab

    return open


@pytest.fixture
def publish(redis, cleanup):
    """Begins to publish numbers, a hundred a second."""

    def start():
        numbers = Numbers(redis, CHANNEL)
        cleanup.callback(numbers.stop)
        return numbers.start()

    return start


def test_every_byte_of_every_message_reaches_the_page(open_daemon, open_tab, redis):
    tab = open_tab(open_daemon())
    for payload in PAYLOADS:
        redis.publish(CHANNEL, payload)
    tab.wait_for_message(as_text(PAYLOADS[-1]))
    assert tab.messages == [as_text(payload) for payload in PAYLOADS]
    assert tab.run("return failures") == []


def test_a_page_whose_connection_is_reset_misses_nothing(open_daemon, open_tab, publish, cleanup):
    proxy = FaultProxy(open_daemon().port)
    cleanup.callback(proxy.stop)
    client_trials.resets(open_tab(proxy), proxy, publish(), 2)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_page_comes_back_after_a_restart_of_the_daemon(open_daemon, open_tab, publish, number):
    daemon = open_daemon()
    client_trials.restart_of_the_daemon(open_tab(daemon), daemon, open_daemon, publish(), number)


def test_a_page_is_told_of_the_time_in_which_redis_was_away(open_daemon, redis, open_tab, publish):
    client_trials.restart_of_redis(open_tab(open_daemon()), redis, publish())


def test_a_page_notices_silence_and_leaves(open_daemon, open_tab, publish, cleanup):
    proxy = FaultProxy(open_daemon().port)
    cleanup.callback(proxy.stop)
    client_trials.black_hole(open_tab(proxy), proxy, publish())


def test_the_client_is_an_es_module_too(browser, site, open_daemon):
    browser.get(f"http://{site.address}/module.html")
    browser.execute_script("""
        const [url, run, channel] = arguments;
        window.states = [];
        import("/status-stream.mjs").then(({ connect }) => {
          window.stream = connect(url, run, channel, { onState: (state) => states.push(state) });
        }, (error) => states.push(String(error)));
        return null;""", f"ws://{open_daemon().address}/", *CHANNEL.split(":"))
    wait_until(
        lambda: browser.execute_script("return states.at(-1)") == "live", "the module's stream")
    browser.execute_script("stream.close(); return null;")


def test_the_deployed_page_comes_back_behind_nginx(browser, open_daemon, redis, tmp_path, cleanup):
    if not nginx.program():
        missing("nginx")
    daemon = open_daemon()
    directory = tmp_path / "nginx"
    directory.mkdir()
    shutil.copy(DEPLOYED_PAGE, directory / "index.html")
    server = nginx.Nginx(directory, daemon.address)
    cleanup.callback(server.stop)
    browser.get(f"http://127.0.0.1:{server.port}/#{CHANNEL}")

    def wait_for(script, what):
        wait_until(lambda: browser.execute_script(f"return {script}"), what, 20)

    wait_for("seen.opens === 1 && seen.pings > 2", "the page to open and be pinged")
    redis.publish(CHANNEL, "the first")
    wait_for('document.getElementById("log").textContent === "the first\\n"', "the first line")
    daemon.signal()
    daemon.wait()
    open_daemon()
    wait_for("seen.opens === 2", "the page to come back")
    assert browser.execute_script("return seen.closes[0][0]") == 1012
    redis.publish(CHANNEL, "the second")
    wait_for('document.getElementById("log").textContent.endsWith("the second\\n")', "the second")


def test_the_console_shows_what_is_published(browser, open_daemon, redis):
    daemon = open_daemon(STATUS_CONSOLE_ENABLED="true")
    browser.get(f"http://{daemon.address}/console#{CHANNEL}")
    wait_until(lambda: redis.subscribers(CHANNEL) == 1, "the console to subscribe")
    redis.publish(CHANNEL, "reading the climate files")
    wait_until(
        lambda: "reading the climate files" in browser.execute_script(
            "return document.body.innerText"), "the line in the console")
    browser.get("about:blank")
