"""Pictures of the console with a real stream: at a desk, at night, on a phone."""

import pathlib
import sys
import tempfile

from harness import browser as browser_module
from harness.daemon import Daemon
from harness.redis_server import Redis
from harness.waiting import wait_until

_CHANNEL = "satin-blackbird;;omni:wepp"

_BEFORE = [
    "rq:5f1c2a JOB wepp started on worker 3",
    "reading the climate of 1990 to 2020 from station 106152",
    "preparing 230 hillslopes",
    *(f"hillslope {number} of 230" for number in range(1, 12)),
]
_AFTER = [
    *(f"hillslope {number} of 230" for number in range(228, 231)),
    "routing 41 channels",
    "writing totalwatsed3.parquet (12.4 MB)",
    "rq:5f1c2a TRIGGER wepp WEPP_RUN_TASK_COMPLETED",
]

_PICTURES = [
    ("console.png", 1000, 640, "light"),
    ("console-dark.png", 1000, 640, "dark"),
    ("console-phone.png", 390, 844, "light"),
]


def _take(browser, path, width, height, scheme):
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {
        "features": [{"name": "prefers-color-scheme", "value": scheme}]})
    browser.execute_script("toEnd()")
    browser.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    assert browser.save_screenshot(str(path))
    print(f"{path}: {path.stat().st_size // 1024} KB")


def _shown(browser, line):
    wait_until(lambda: browser.execute_script(
        "return list.textContent.includes(arguments[0])", line), f"the row {line!r}")


def main(folder):
    with tempfile.TemporaryDirectory() as directory:
        redis = Redis(pathlib.Path(directory))
        daemon = Daemon({
            "STATUS_REDIS_URL": redis.url, "STATUS_CONSOLE_ENABLED": "true",
            "STATUS_GAP_NOTICES": "true", "STATUS_PING_INTERVAL": "500ms"}).wait_ready()
        browser = browser_module.start()
        try:
            browser.get(f"http://{daemon.address}/console#{_CHANNEL}")
            redis.wait_for_subscribers(_CHANNEL, 1)
            for line in _BEFORE:
                redis.publish(_CHANNEL, line)
            _shown(browser, _BEFORE[-1])
            redis.kill()
            _shown(browser, "outage: ")
            redis.start()
            redis.wait_for_subscribers(_CHANNEL, 1)
            _shown(browser, "gap: ")
            for line in _AFTER:
                redis.publish(_CHANNEL, line)
            _shown(browser, _AFTER[-1])
            for name, *looks in _PICTURES:
                _take(browser, pathlib.Path(folder) / name, *looks)
        finally:
            browser.quit()
            daemon.stop()
            redis.stop()


if __name__ == "__main__":
    main(sys.argv[1])
