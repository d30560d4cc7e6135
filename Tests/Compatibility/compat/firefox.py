"""Headless Firefox, driven by WebDriver BiDi, which it speaks itself: no geckodriver is needed.

`Firefox` has the part of selenium's interface that the pages' harness uses (`client_page.Tab`).
https://w3c.github.io/webdriver-bidi/
"""

import itertools
import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading

from websockets.sync.client import connect

from harness.waiting import wait_until

PROGRAM = "firefox-esr"
_START_SECONDS = 60
_COMMAND_SECONDS = 30

_PREFERENCES = """
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.startup.page", 0);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("toolkit.telemetry.enabled", false);
user_pref("app.update.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("remote.active-protocols", 1);
"""


def is_installed():
    return shutil.which(PROGRAM) is not None


class Firefox:
    """A browser with one window; `quit()` ends it."""

    def __init__(self):
        self._home = pathlib.Path(tempfile.mkdtemp(prefix="firefox"))
        (self._home / "user.js").write_text(_PREFERENCES)
        self._process = subprocess.Popen(
            [PROGRAM, "--headless", "--no-remote", "--profile", str(self._home),
             "--remote-debugging-port", "0"],
            env={"PATH": "/usr/bin:/bin", "HOME": str(self._home)}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self._said = []
        threading.Thread(target=self._read, daemon=True).start()
        address = wait_until(self._address, "Firefox to listen", _START_SECONDS)
        self._context = connect(f"{address}/session", max_size=None)
        self._socket = self._context.__enter__()
        self._numbers = itertools.count(1)
        session = self._command("session.new", capabilities={})
        self.version = session["capabilities"]["browserVersion"]
        tree = self._command("browsingContext.getTree")
        self.current_window_handle = tree["contexts"][0]["context"]
        self.switch_to = self

    def _read(self):
        for line in self._process.stdout:
            self._said.append(line)

    def _address(self):
        assert self._process.poll() is None, "".join(self._said)
        found = re.search(r"WebDriver BiDi listening on (ws://\S+)", "".join(self._said))
        return found and found[1]

    def _command(self, method, **parameters):
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv(_COMMAND_SECONDS))
            if answer.get("id") == number:
                assert answer["type"] == "success", answer
                return answer["result"]

    # What selenium's drivers do

    def get(self, url):
        self._command(
            "browsingContext.navigate", context=self.current_window_handle, url=url, wait="complete")

    def window(self, handle):
        self._command("browsingContext.activate", context=handle)
        self.current_window_handle = handle

    def new_window(self, kind):
        self.current_window_handle = self._command("browsingContext.create", type=kind)["context"]

    def close(self):
        self._command("browsingContext.close", context=self.current_window_handle)

    def execute_script(self, script, *arguments):
        """What the script returns, as JSON has it; it may await."""
        answer = self._command(
            "script.callFunction", target={"context": self.current_window_handle},
            functionDeclaration=(
                "async (text) => JSON.stringify(await (async function () {%s})"
                ".apply(null, JSON.parse(text)) ?? null)" % script),
            arguments=[{"type": "string", "value": json.dumps(arguments)}], awaitPromise=True)
        assert answer["type"] == "success", answer["exceptionDetails"]["text"]
        return json.loads(answer["result"]["value"])

    def quit(self):
        self._command("browser.close")
        self._context.__exit__(None, None, None)
        try:
            self._process.wait(_COMMAND_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._home, ignore_errors=True)
