"""The console page in headless Chromium, with a real Redis behind it."""

import gzip
import pathlib
import re
import time

import pytest
import redis as redis_client
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from harness import nginx
from harness.waiting import free_port, wait_until

pytestmark = pytest.mark.browser

_CLIENT = pathlib.Path(__file__).resolve().parents[2] / "Clients/js"


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
    _wait_for(browser, "state", "subscribed")


def _set(browser, identifier, text):
    element = browser.find_element(By.ID, identifier)
    element.clear()
    element.send_keys(text)


def _click(browser, identifier):
    browser.find_element(By.ID, identifier).click()


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
    """The rows of outage and gap say when, and that something may be missing before them."""
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
    _wait_for(browser, "state", "subscribed")
    def notices():
        return [row for row in _rows(browser) if row.startswith(("outage", "gap"))]

    wait_until(lambda: len(notices()) > 1, "the notice of the gap")
    notes = notices()
    assert re.fullmatch(r"outage: no messages come since \d\d:\d\d:\d\d\.\d{3}", notes[0])
    assert re.fullmatch(
        r"gap: redis_outage, rows before this one may be missing, from [\d:.]{12} to [\d:.]{12}",
        notes[1])


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
    _wait_for(browser, "state", "subscribed")
    assert redis.subscribers(channel) == 1


def test_disconnect_closes_the_websocket_for_good(browser, console, redis, channel):
    _open(browser, console, channel)
    assert _text(browser, "beat").endswith("s ago")
    _click(browser, "disconnect")
    _wait_for(browser, "state", "not connected")
    assert _text(browser, "beat") == "none", "nothing beats any more"
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
    _wait_for(browser, "state", "subscribed", seconds=30)
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
    tags = re.findall(rb"<(?:script|style)[^>]*>", answer.body)
    assert len(tags) == 3 and all(f' nonce="{nonce}"'.encode() in tag for tag in tags)
    other = console.get("/console").headers["content-security-policy"]
    assert nonce not in other


def test_the_page_loads_nothing_from_elsewhere(console):
    page = console.get("/console").body.decode()
    assert re.findall(r'(?:src|href)="(?!data:)[^"]*"', page) == []
    assert "://" not in page


def test_the_browser_has_nothing_to_complain_of(browser, console, redis, channel):
    browser.get_log("browser")
    _open(browser, console, channel)
    for line in ("reading the climate files", "hillslope 12 of 230", "<done> in 3.2 s"):
        redis.publish(channel, line)
    _wait_for(browser, "messages", "<done>")
    assert browser.get_log("browser") == []


# Ten thousand rows

def test_ten_thousand_messages_are_shown_within_a_second_of_their_coming(
        browser, console, redis, channel):
    _open(browser, console, channel)
    # When the last message has come, and when its row is drawn, by the page's own clock.
    browser.execute_script("""
        const last = arguments[0];
        const given = onMessage;
        onMessage = (data) => { given(data); if (data === last) window.came = performance.now(); };
        const look = () => {
          const row = list.querySelector("ol:last-child li:last-child span");
          if (row && row.textContent === last) window.drawn = performance.now();
          else requestAnimationFrame(look);
        };
        stream.close(); open(...name.split(":")); look();""", "line 9999")
    _wait_for(browser, "state", "subscribed")
    client = redis_client.Redis(port=redis.port)
    pipeline = client.pipeline(transaction=False)
    for number in range(10_000):
        pipeline.publish(channel, f"line {number}")
    pipeline.execute()
    wait_until(lambda: browser.execute_script("return window.drawn"), "the last row")
    assert browser.execute_script("return window.drawn - window.came") < 1000
    assert _text(browser, "count") == "10000"
    assert browser.execute_script("return list.querySelectorAll('li').length") == 10_000
    assert browser.execute_script("return isAtEnd && list.scrollTop > 0")


def test_rows_over_ten_thousand_push_the_oldest_out(browser, console, channel):
    _open(browser, console, channel)
    browser.execute_script("for (let i = 0; i < 25000; i++) onMessage('line ' + i);")
    wait_until(
        lambda: browser.execute_script("return drawn === rows.length"), "all rows to be drawn")
    count, first, kept = browser.execute_script(
        "return [list.querySelectorAll('li').length, list.querySelector('li span').textContent,"
        " rows.length]")
    assert 10_000 <= count <= 10_100 and kept == 10_000
    assert first == f"line {25_000 - count}"
    assert _text(browser, "count") == "25000"


def test_a_reader_who_has_scrolled_back_stays_there(browser, console, channel):
    _open(browser, console, channel)
    browser.execute_script("for (let i = 0; i < 500; i++) onMessage('line ' + i);")
    wait_until(lambda: browser.execute_script("return list.scrollTop > 1000"), "the end")
    browser.execute_script("list.scrollTop = 300;")
    wait_until(lambda: browser.find_element(By.ID, "newest").is_displayed(), "a way to the newest")
    browser.execute_script("onMessage('one more');")
    wait_until(lambda: browser.execute_script("return drawn === rows.length"), "the row")
    assert abs(browser.execute_script("return list.scrollTop") - 300) < 5
    _click(browser, "newest")
    wait_until(lambda: not browser.find_element(By.ID, "newest").is_displayed(), "the end")


def test_a_huge_message_is_cut_and_says_so(browser, console, redis, channel):
    _open(browser, console, channel)
    redis.publish(channel, "x" * 100_000)
    _wait_for(browser, "messages", "… and 96000 more characters")


# Buttons, filter, fields

def test_pause_holds_rows_back_and_shows_that_it_does(browser, console, redis, channel):
    _open(browser, console, channel)
    redis.publish(channel, "before")
    _wait_for(browser, "messages", "before")
    pause = browser.find_element(By.ID, "pause")
    assert pause.get_attribute("aria-pressed") == "false"
    pause.click()
    assert pause.get_attribute("aria-pressed") == "true"
    for line in ("one", "two"):
        redis.publish(channel, line)
    _wait_for(browser, "pause", "Paused, 2 waiting")
    assert _rows(browser) == ["before"] and _text(browser, "count") == "3"
    pause.click()
    _wait_for(browser, "messages", "two")
    assert _rows(browser) == ["before", "one", "two"]
    assert pause.get_attribute("aria-pressed") == "false" and pause.text == "Pause"


def test_the_filter_shows_what_contains_it_and_every_notice(browser, console, redis, channel):
    _open(browser, console, channel)
    for line in ("Hillslope 1", "channel 2", "hillslope 3"):
        redis.publish(channel, line)
    _wait_for(browser, "messages", "hillslope 3")
    browser.execute_script("onGap({reason: 'redis_outage', from_ms: 0, to_ms: 1});")
    _set(browser, "filter", "HILL")
    _wait_for(browser, "shown", "3 of 4 rows")
    assert [row[:11] for row in _rows(browser)] == ["Hillslope 1", "hillslope 3", "gap: redis_"]
    redis.publish(channel, "a hill")
    redis.publish(channel, "no match")
    _wait_for(browser, "shown", "4 of 6 rows")
    # However it is emptied: by keys, by the cross in it, or by what fills in forms.
    browser.find_element(By.ID, "filter").clear()
    _wait_for(browser, "messages", "no match")
    assert len(_rows(browser)) == 6


def test_clear_leaves_nothing_but_the_stream(browser, console, redis, channel):
    _open(browser, console, channel)
    redis.publish(channel, "one")
    _wait_for(browser, "messages", "one")
    _click(browser, "clear")
    assert (_rows(browser), _text(browser, "count")) == ([], "0")
    assert "No message has come yet" in _text(browser, "empty")
    redis.publish(channel, "two")
    _wait_for(browser, "messages", "two")
    assert (_rows(browser), _text(browser, "count")) == (["two"], "1")


def test_another_run_begins_with_empty_rows_and_counters(browser, console, redis, channel):
    _open(browser, console, channel)
    redis.publish(channel, "of the first")
    _wait_for(browser, "messages", "of the first")
    _set(browser, "channel", "other")
    _click(browser, "connect")
    redis.wait_for_subscribers(channel.split(":")[0] + ":other", 1)
    assert (_rows(browser), _text(browser, "count")) == ([], "0")


def test_what_a_button_would_do_in_vain_it_does_not_offer(browser, console, channel):
    browser.get("about:blank")
    browser.get(f"http://{console.address}/console")
    enabled = lambda: [browser.find_element(By.ID, name).is_enabled()
                       for name in ("connect", "disconnect")]
    assert enabled() == [True, False]
    assert "Choose a run and a channel" in _text(browser, "empty")
    _open(browser, console, channel)
    assert enabled() == [False, True]
    _set(browser, "channel", "other")
    assert enabled() == [True, True]
    _click(browser, "disconnect")
    assert enabled() == [True, False]


@pytest.mark.parametrize("run, name, field, text", [
    ("", "status", "run", "Run is empty."),
    ("a b", "status", "run", "Run may have letters"),
    ("run", "a;b", "channel", "Channel may have letters"),
    ("run", "", "channel", "Channel is empty."),
    ("r" * 500, "c" * 20, None, "together may have 511"),
])
def test_an_error_names_the_field(browser, console, run, name, field, text):
    browser.get("about:blank")
    browser.get(f"http://{console.address}/console")
    for identifier, value in (("run", run), ("channel", name)):
        browser.find_element(By.ID, identifier).clear()
        browser.execute_script(
            "document.getElementById(arguments[0]).value = arguments[1]", identifier, value)
    _click(browser, "connect")
    assert text in _text(browser, "error")
    assert browser.find_element(By.ID, "error").get_attribute("role") == "alert"
    invalid = [element.get_attribute("id")
               for element in browser.find_elements(By.CSS_SELECTOR, "[aria-invalid=true]")]
    assert invalid == ([field] if field else [])
    if field:
        assert browser.switch_to.active_element.get_attribute("id") == field
    assert _text(browser, "state") == "not connected"
    assert "Choose a run and a channel" in _text(browser, "empty")


def test_an_error_ends_the_former_stream_and_says_what_is_to_be_done(browser, console, channel):
    _open(browser, console, channel)
    _set(browser, "run", "it's; rm -rf")
    # The command is none that a shell would take apart.
    assert "PUBLISH 'demo:" in _text(browser, "command")
    _click(browser, "connect")
    _wait_for(browser, "state", "not connected")
    assert "Choose a run and a channel" in _text(browser, "empty")


def test_all_of_it_is_reached_by_the_keyboard(browser, console, redis, channel):
    _open(browser, console, channel)
    browser.execute_script("document.getElementById('run').focus()")
    reached = []
    for _ in range(7):
        focused = browser.switch_to.active_element
        reached.append(focused.get_attribute("id"))
        focused.send_keys(Keys.TAB)
    assert reached == ["run", "channel", "disconnect", "filter", "pause", "clear", "messages"]
    pause = browser.find_element(By.ID, "pause")
    pause.send_keys(Keys.SPACE)
    assert pause.get_attribute("aria-pressed") == "true"
    pause.send_keys(Keys.SPACE)
    _set(browser, "channel", "other" + Keys.ENTER)
    run = channel.split(":")[0]
    redis.wait_for_subscribers(f"{run}:other", 1)


def test_a_notice_of_another_day_says_which(browser, console, channel):
    _open(browser, console, channel)
    browser.execute_script("""
        onGap({ reason: "resume", from_ms: 1700000000000, to_ms: Date.now() });""")
    _wait_for(browser, "messages", "from 2023-11-14 22:13:20.000 to ")
    assert re.search(r" to [0-9:.]{12}$", _rows(browser)[-1])


# The address

def test_a_change_of_the_address_is_followed(browser, console, redis, channel):
    _open(browser, console, channel)
    other = channel.split(":")[0] + ":next"
    browser.execute_script("location.hash = arguments[0]", other)
    redis.wait_for_subscribers(other, 1)
    redis.wait_for_subscribers(channel, 0)
    assert browser.find_element(By.ID, "channel").get_attribute("value") == "next"
    browser.back()
    redis.wait_for_subscribers(channel, 1)


@pytest.mark.parametrize("text, error", [
    ("100%:y", "Run may have"), ("%E0%A4%A:x", "Run may have"), (":", "Run is empty"),
    ("a:b:c", "Run may have"), ("run:", "Channel is empty"), ("<b>:x", "Run may have"),
])
def test_an_address_that_names_no_channel_says_so(browser, console, text, error):
    browser.get("about:blank")
    browser.get_log("browser")
    browser.get(f"http://{console.address}/console#{text}")
    _wait_for(browser, "error", error)
    assert browser.get_log("browser") == []
    browser.execute_script("location.hash = 'run:status'")
    _wait_for(browser, "state", "subscribed")
    assert not browser.find_element(By.ID, "error").is_displayed()


def test_it_works_behind_any_prefix(browser, start_nginx, console, redis, channel, tmp_path):
    (tmp_path / "nginx").mkdir()
    proxy = start_nginx(tmp_path / "nginx", console.address)
    for path in ("console", "console/"):
        browser.get("about:blank")
        browser.get(f"http://{proxy.address}{nginx.PREFIX}{path}#{channel}")
        _wait_for(browser, "state", "subscribed")
        redis.publish(channel, "through the proxy")
        _wait_for(browser, "messages", "through the proxy")


def test_the_command_names_the_redis_of_the_daemon(browser, console, redis, channel):
    _open(browser, console, channel)
    command = _text(browser, "command")
    assert command == f"redis-cli -h 127.0.0.1 -p {redis.port} PUBLISH '{channel}' 'hello'"


# What it claims

def test_without_notices_it_does_not_claim_to_be_subscribed_while_redis_is_dead(
        browser, start_redis, start_daemon, channel):
    server = start_redis()
    daemon = start_daemon(
        server, STATUS_CONSOLE_ENABLED="true", STATUS_PING_INTERVAL="100ms",
        STATUS_RESUME_WINDOW="0")
    _open(browser, daemon, channel)
    server.kill()
    _wait_for(browser, "state", "socket open, but the daemon is not ready: redis")
    beats = int(_text(browser, "beats"))
    wait_until(lambda: int(_text(browser, "beats")) > beats + 3, "three more heartbeats")
    assert "subscribed" not in _text(browser, "state")
    server.start()
    _wait_for(browser, "state", "subscribed")


@pytest.mark.parametrize("window, state", [
    ("0", "socket open, not subscribed yet"),
    # A page that can resume is told.
    ("30s", "socket open, but no messages come since"),
])
def test_an_open_socket_is_not_called_subscribed_before_redis_has_answered(
        browser, start_redis, start_daemon, channel, window, state):
    server = start_redis()
    daemon = start_daemon(
        server, STATUS_CONSOLE_ENABLED="true", STATUS_REDIS_REQUEST_TIMEOUT="200ms",
        STATUS_RESUME_WINDOW=window)
    server.kill()
    browser.get("about:blank")
    browser.get(f"http://{daemon.address}/console#{channel}")
    _wait_for(browser, "state", state)
    server.start()
    _wait_for(browser, "state", "subscribed")


def test_nothing_that_changes_all_the_time_is_read_out(browser, console):
    browser.get(f"http://{console.address}/console")
    live = {element.get_attribute("id"): element.get_attribute("aria-live")
            for element in browser.find_elements(By.CSS_SELECTOR, "[role], [aria-live]")}
    # An alert and a status are read out when they change; a log would be, without "off".
    assert live == {"error": None, "state": None, "messages": "off"}
    assert browser.find_elements(By.CSS_SELECTOR, "#state #count, #state #beats, #state #beat") == []


def test_the_time_zone_is_said(browser, console, redis, channel):
    _open(browser, console, channel)
    browser.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "Asia/Tokyo"})
    try:
        redis.publish(channel, "now")
        _wait_for(browser, "messages", "now")
        shown = browser.find_element(By.CSS_SELECTOR, "#messages time").text
        assert "UTC" in browser.find_element(By.CSS_SELECTOR, ".head time").text
        assert shown[:2] in {time.strftime("%H", time.gmtime(time.time() - age)) for age in (0, 20)}
    finally:
        browser.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": ""})


# Looks

def _width(browser, width, height):
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})


@pytest.fixture
def looks(browser):
    """Undoes what a test has done to the window."""
    yield browser
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_a_phone_shows_all_of_it_without_scrolling_sideways(looks, console, redis, channel):
    _width(looks, 390, 844)
    _open(looks, console, channel)
    for line in ("a line that is too long for a phone " * 5, "x" * 300, "short"):
        redis.publish(channel, line)
    _wait_for(looks, "messages", "short")
    wide = looks.execute_script("""
        return [...document.querySelectorAll("body *")].filter(
          (one) => one.getBoundingClientRect().right > innerWidth + 1).map((one) => one.outerHTML)""")
    assert wide == [] and looks.execute_script("return document.body.scrollWidth <= innerWidth")
    assert looks.execute_script(
        "return [...document.querySelectorAll('button')].every("
        "(one) => !one.offsetHeight || one.offsetHeight >= 32)")


def test_dark_and_light_can_both_be_read(looks, console, channel):
    _open(looks, console, channel)
    looks.execute_script("onGap({reason: 'redis_outage', from_ms: 0, to_ms: 1}); onMessage('x');")
    _wait_for(looks, "messages", "x")
    backs = set()
    for scheme in ("light", "dark"):
        looks.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": scheme}]})
        ratios = looks.execute_script(_CONTRASTS)
        assert min(ratios.values()) >= 4.5, (scheme, ratios)
        backs.add(looks.execute_script("return getComputedStyle(document.body).backgroundColor"))
    assert len(backs) == 2


# The contrast of each text with what is behind it (WCAG 2.2, section 1.4.3).
_CONTRASTS = """
const parts = (color) => color.match(/[\\d.]+/g).map(Number);
const luminance = ([r, g, b]) => [r, g, b].map((c) => c / 255)
  .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
  .reduce((sum, c, index) => sum + c * [0.2126, 0.7152, 0.0722][index], 0);
const back = (one) => {
  for (; one; one = one.parentElement) {
    const color = parts(getComputedStyle(one).backgroundColor);
    if (color.length === 3 || color[3] > 0) return color;
  }
};
const ratios = {};
for (const one of document.querySelectorAll(
    "h1, label, input, button:enabled, #state, .bar span, .bar b, #hint, code, .head time, li time, li span")) {
  const [high, low] = [luminance(parts(getComputedStyle(one).color)), luminance(back(one))]
    .sort((a, b) => b - a);
  ratios[one.id || one.tagName + "." + one.parentElement.className] = (high + 0.05) / (low + 0.05);
}
return ratios;
"""


# Beside the console

def test_the_client_is_served_as_it_is(console):
    for name in ("status-stream.js", "status-stream.mjs"):
        answer = console.get(f"/console/{name}")
        assert answer.headers["content-type"].startswith("text/javascript")
        assert answer.body == (_CLIENT / name).read_bytes()
    assert len(gzip.compress(console.get("/console/status-stream.js").body, 6)) < 4096


def test_the_example_works_behind_a_prefix(
        browser, start_nginx, console, redis, channel, tmp_path):
    (tmp_path / "nginx").mkdir()
    proxy = start_nginx(tmp_path / "nginx", console.address)
    browser.get("about:blank")
    browser.get_log("browser")
    browser.get(f"http://{proxy.address}{nginx.PREFIX}console/example#{channel}")
    _wait_for(browser, "state", "live")
    redis.publish(channel, "<b>a line</b>")
    _wait_for(browser, "log", "<b>a line</b>")
    assert browser.get_log("browser") == []

