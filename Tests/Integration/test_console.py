"""The console page in headless Chromium, with a real Redis behind it."""

import os
import re

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from harness.waiting import free_port, wait_until

pytestmark = pytest.mark.browser


def _text(browser, identifier):
    return browser.find_element(By.ID, identifier).text


def _wait_for(browser, identifier, text, seconds=20):
    WebDriverWait(browser, seconds).until(
        lambda _: text in _text(browser, identifier),
        f"#{identifier} has no {text!r} but {_text(browser, identifier)!r}")


def _rows(browser):
    return [row.text for row in browser.find_elements(By.CSS_SELECTOR, "#messages li span")]


def _open(browser, daemon, channel):
    """Opens the page and connects by its form."""
    run, name = channel.split(":")
    browser.get(f"http://{daemon.address}/console")
    for field, value in (("run", run), ("channel", name)):
        element = browser.find_element(By.ID, field)
        element.clear()
        element.send_keys(value)
    browser.find_element(By.ID, "connect").click()
    _wait_for(browser, "state", "live")


@pytest.fixture
def console(start_daemon, redis):
    return start_daemon(redis, STATUS_CONSOLE_ENABLED="true", STATUS_PING_INTERVAL="200ms")


def test_it_is_404_when_it_is_off(daemon):
    assert daemon.get("/console").status == 404


def test_a_message_published_with_redis_cli_appears(browser, console, redis, channel):
    _open(browser, console, channel)
    assert redis.publish(channel, "step 1 of 3") == 1
    _wait_for(browser, "messages", "step 1 of 3")
    assert _text(browser, "count") == "1"


def test_payloads_are_text_and_never_markup(browser, console, redis, channel):
    _open(browser, console, channel)
    payload = "<b>x</b><script>document.title = 'owned'</script><img src=x onerror=alert(1)>"
    redis.publish(channel, payload)
    _wait_for(browser, "messages", payload)
    assert browser.find_elements(By.CSS_SELECTOR, "#messages b, #messages script, #messages img") == []
    assert browser.title == "status2 console"


def test_an_outage_is_shown_until_the_stream_is_back(
        browser, start_redis, start_daemon, channel):
    server = start_redis()
    daemon = start_daemon(
        server, STATUS_CONSOLE_ENABLED="true", STATUS_PING_INTERVAL="100ms",
        STATUS_GAP_NOTICES="true")
    _open(browser, daemon, channel)
    server.kill()
    _wait_for(browser, "state", "no messages come since")
    # Heartbeats go on, and do not say that messages come.
    beats = int(_text(browser, "beats"))
    wait_until(lambda: int(_text(browser, "beats")) > beats + 3, "three more heartbeats")
    assert "no messages come since" in _text(browser, "state")
    server.start()
    _wait_for(browser, "state", "live")
    notes = [row for row in _rows(browser) if row.startswith(("outage", "gap"))]
    assert re.fullmatch(r"outage: no messages come since \d\d:\d\d:\d\d\.\d{3}", notes[0])
    assert re.fullmatch(
        r"gap: redis_outage, messages may be missing from [\d:.]{12} to [\d:.]{12}", notes[1])


def test_heartbeats_are_counted(browser, console, channel):
    _open(browser, console, channel)
    wait_until(lambda: int(_text(browser, "beats")) >= 5, "five heartbeats")
    assert _text(browser, "beat").endswith("s ago")


def test_its_pongs_keep_it_connected(browser, start_daemon, redis, channel):
    daemon = start_daemon(
        redis, STATUS_CONSOLE_ENABLED="true", STATUS_PING_INTERVAL="100ms",
        STATUS_PONG_TIMEOUT="1500ms")
    _open(browser, daemon, channel)
    # Twenty heartbeats are two seconds, longer than the time-out.
    wait_until(lambda: int(_text(browser, "beats")) >= 20, "twenty heartbeats")
    assert not daemon.log_lines("client disconnected")


def test_an_address_with_a_channel_connects_at_once(browser, console, redis, channel):
    browser.get("about:blank")
    browser.get(f"http://{console.address}/console#{channel}")
    _wait_for(browser, "state", "live")
    assert redis.subscribers(channel) == 1


def test_disconnect_closes_the_websocket_for_good(browser, console, redis, channel):
    _open(browser, console, channel)
    browser.find_element(By.ID, "disconnect").click()
    _wait_for(browser, "state", "not connected")
    redis.wait_for_subscribers(channel, 0)
    assert console.wait_for_log("client disconnected")["reason"] == "client_closed"


def test_a_change_of_channel_leaves_the_old_one(browser, console, redis, channel):
    _open(browser, console, channel)
    other = browser.find_element(By.ID, "channel")
    other.send_keys(".other")
    browser.find_element(By.ID, "connect").click()
    redis.wait_for_subscribers(channel + ".other", 1)
    redis.wait_for_subscribers(channel, 0)
    redis.publish(channel + ".other", "of the other channel")
    _wait_for(browser, "messages", "of the other channel")


@pytest.mark.parametrize("hangup, code", [("true", 1000), ("false", 1012)])
def test_it_comes_back_after_a_restart_of_the_daemon(
        browser, start_daemon, redis, channel, hangup, code):
    listen = f"127.0.0.1:{free_port()}"
    settings = {"STATUS_LISTEN_ADDR": listen, "STATUS_CONSOLE_ENABLED": "true",
                "STATUS_SEND_HANGUP": hangup}
    first = start_daemon(redis, **settings)
    _open(browser, first, channel)
    first.signal()
    assert first.wait() == 0
    _wait_for(browser, "state", "reconnecting")
    assert any(row.startswith(f"closed with code {code}") for row in _rows(browser))
    start_daemon(redis, **settings)
    _wait_for(browser, "state", "live", seconds=30)
    redis.publish(channel, "after the restart")
    _wait_for(browser, "messages", "after the restart")


def test_the_policy_lets_nothing_in_but_the_page_itself(console):
    answer = console.get("/console")
    policy = answer.headers["content-security-policy"]
    for directive in ("default-src", "base-uri", "form-action", "frame-ancestors"):
        assert f"{directive} 'none'" in policy
    assert "connect-src 'self'" in policy
    assert "unsafe" not in policy and "*" not in policy
    nonce = policy.split("script-src 'nonce-")[1].split("'")[0]
    assert f'<script nonce="{nonce}">'.encode() in answer.body
    other = console.get("/console").headers["content-security-policy"]
    assert nonce not in other


def test_the_page_loads_nothing_from_elsewhere(console):
    page = console.get("/console").body.decode()
    assert re.findall(r'(?:src|href)="(?!data:)[^"]*"', page) == []
    assert "://" not in page.replace('"ws://"', "").replace('"wss://"', "")


def test_the_browser_has_nothing_to_complain_of(browser, console, redis, channel):
    browser.get_log("browser")
    _open(browser, console, channel)
    for line in ("reading the climate files", "hillslope 12 of 230", "<done> in 3.2 s"):
        redis.publish(channel, line)
    _wait_for(browser, "messages", "<done>")
    assert browser.get_log("browser") == []
    target = os.environ.get("STATUS2_SCREENSHOT")
    if target:
        assert browser.save_screenshot(target)
