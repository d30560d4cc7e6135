"""Pages with the client in a browser's tabs, and the account of what they were told."""

import functools
import http.server
import pathlib
import threading
import time
import urllib.parse

from harness.waiting import wait_until

_PAGES = pathlib.Path(__file__).parent
_CLIENT = pathlib.Path(__file__).resolve().parents[3] / "Clients/js"
_FILES = {
    "/page.html": _PAGES / "client_page.html",
    "/deployed.html": _PAGES / "deployed_page.html",
    "/module.html": pathlib.Path("/dev/null"),
    "/status-stream.js": _CLIENT / "status-stream.js",
    "/status-stream.mjs": _CLIENT / "status-stream.mjs",
}

CLOCK_SLACK_MS = 250
"""Between the clocks of publisher, daemon and page, which are one machine's, and their roundings."""


class _Files(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        file = _FILES.get(self.path.split("?")[0])
        self.send_response(200 if file else 404)
        kind = "text/javascript" if self.path.endswith("js") else "text/html"
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.end_headers()
        if file:
            self.wfile.write(file.read_bytes())

    def log_message(self, *_):
        pass


class Site:
    """Serves the pages on a free port."""

    def __init__(self):
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Files)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


class Tab:
    """A page with the client in a tab of its own, which is the browser's present one or a new one."""

    def __init__(self, browser, site, target, channel, new=False):
        self._browser = browser
        if new:
            browser.switch_to.new_window("tab")
        self.handle = browser.current_window_handle
        run, name = channel.split(":")
        parts = "|".join(
            urllib.parse.quote(part, safe="") for part in (f"ws://{target.address}/", run, name))
        browser.get("about:blank")
        browser.get(f"http://{site.address}/page.html#{parts}")

    def run(self, script, *arguments):
        """Runs a script in the tab."""
        if self._browser.current_window_handle != self.handle:
            self._browser.switch_to.window(self.handle)
        return self._browser.execute_script(script, *arguments)

    def command(self, name, **arguments):
        """A command of the debugging protocol to the tab."""
        if self._browser.current_window_handle != self.handle:
            self._browser.switch_to.window(self.handle)
        return self._browser.execute_cdp_cmd(name, arguments)

    @property
    def state(self):
        return self.run("return stream.state")

    @property
    def entries(self):
        return self.run("return entries")

    @property
    def messages(self):
        return [entry[1] for entry in self.entries if entry[0] == "message"]

    @property
    def gaps(self):
        return [entry[1:] for entry in self.entries if entry[0] == "gap"]

    @property
    def closes(self):
        """The codes with which sockets have ended so far."""
        return [entry[2] for entry in self.entries if entry[:2] == ["state", "waiting"]]

    @property
    def connects(self):
        """How many sockets it has opened."""
        return sum(entry[:2] == ["state", "connecting"] for entry in self.entries)

    def wait_for_state(self, state, timeout=20):
        wait_until(lambda: self.state == state, f"the page to be {state}", timeout)

    def wait_for_message(self, data, timeout=20):
        wait_until(lambda: data in self.messages, f"the message {data!r} on the page", timeout)

    def wait_for_connects(self, count, timeout=20):
        """Waits until it has opened so many sockets, and the last one is live."""
        wait_until(lambda: self.connects >= count and self.state == "live",
                   f"{count} sockets, the last one live", timeout)


class Numbers:
    """Publishes numbers of so many digits to a channel, and knows when each of them went out."""

    def __init__(self, redis, channel, interval=0.01, width=1):
        self._publish = functools.partial(redis.client().publish, channel)
        self._interval, self._width = interval, width
        self.times = []
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self._stop.wait(self._interval):
            self.one()

    def one(self):
        """Publishes the next number; one that Redis has not taken is none."""
        with self._lock:
            begun = time.time() * 1000
            try:
                self._publish(self._message(len(self.times)))
            except OSError:
                return
            except Exception as error:  # The client's own errors of a connection that is gone.
                if "onnect" not in f"{type(error).__name__} {error}":
                    raise
                return
            self.times.append((begun, time.time() * 1000))

    def start(self):
        self._thread.start()
        return self

    def stop(self):
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(10)

    @property
    def last(self):
        return self._message(len(self.times) - 1)

    def _message(self, number):
        return f"n{number:0{self._width}d}"


def some_more(tab, count=20):
    """Waits until the page has had so many messages more."""
    had = len(tab.messages)
    wait_until(lambda: len(tab.messages) >= had + count, f"{count} more messages")


def settle(tab, numbers):
    """Publishes one more when all is well again, and waits for it."""
    numbers.stop()
    numbers.one()
    tab.wait_for_message(numbers.last)


def assert_accounted(tab, numbers, first=None):
    """Each number has come once and in order, or a gap notice before the next one covers it.

    Returns how many are missing. `first` is the number that the page must have from the start.
    """
    expected = first
    notices = []
    missing = 0
    for kind, *rest in tab.entries:
        if kind == "gap":
            notices.append(rest)
        if kind != "message":
            continue
        number = int(rest[0].removeprefix("n"))
        expected = number if expected is None else expected
        assert number >= expected, f"n{number} has come before"
        for lost in range(expected, number):
            begun, ended = numbers.times[lost]
            covered = any(
                from_ms - CLOCK_SLACK_MS <= ended and begun <= to_ms + CLOCK_SLACK_MS
                for _, from_ms, to_ms in notices)
            assert covered, f"n{lost}, published at {begun:.0f}, is missing, and told are {notices}"
        missing += number - expected
        expected = number + 1
        notices = []
    assert tab.run("return failures") == []
    return missing
