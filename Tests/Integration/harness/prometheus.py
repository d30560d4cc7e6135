"""A real Prometheus that scrapes a daemon, with its data in a directory of the test's own."""

import json
import pathlib
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request

from harness.waiting import free_port, wait_until

_REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
RULES = _REPOSITORY / "Deploy/prometheus/status2.rules.yml"
RULE_TESTS = _REPOSITORY / "Deploy/prometheus/status2.test.yml"
DASHBOARD = _REPOSITORY / "Deploy/grafana/status2.json"

_CONFIGURATION = """
global:
  scrape_interval: {interval}
  evaluation_interval: 1s
rule_files:
  - {rules}
scrape_configs:
  - job_name: status2
    static_configs:
      - targets: ["{target}"]
"""


def is_installed():
    return all(shutil.which(name) for name in ("prometheus", "promtool"))


def promtool(*arguments, text=None, directory=None):
    """Runs promtool: exit status, standard output and error."""
    return subprocess.run(
        ["promtool", *map(str, arguments)], input=text, capture_output=True, text=True, timeout=60,
        cwd=directory)


class Prometheus:
    """A server on a free port, with the alert rules loaded."""

    def __init__(self, directory, target, interval="1s"):
        directory = pathlib.Path(directory)
        self.port = free_port()
        configuration = directory / "prometheus.yml"
        configuration.write_text(
            _CONFIGURATION.format(interval=interval, rules=RULES, target=target))
        self._log = (directory / "log").open("w+")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={configuration}",
             f"--storage.tsdb.path={directory / 'data'}",
             f"--web.listen-address=127.0.0.1:{self.port}"],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT)
        wait_until(self._is_ready, "Prometheus to be ready", 30)

    def _is_ready(self):
        assert self.process.poll() is None, pathlib.Path(self._log.name).read_text()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def _get(self, path, **parameters):
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from None

    def query(self, expression):
        """The series of an instant query: their labels and their values."""
        data = self._get("query", query=expression)
        assert data["resultType"] == "vector", expression
        return [(series["metric"], float(series["value"][1])) for series in data["result"]]

    def value(self, expression):
        """The value of the one series of a query; None where there is none."""
        found = self.query(expression)
        assert len(found) < 2, (expression, found)
        return found[0][1] if found else None

    def metadata(self):
        """What the last scrape told of each family: type, help and unit."""
        return {name: entries[0] for name, entries in self._get("metadata").items()}

    def target(self):
        """The one target's health and last error."""
        return self._get("targets")["activeTargets"][0]

    def wait_for(self, expression, timeout=30):
        """Waits until a query gives series; returns them."""
        return wait_until(lambda: self.query(expression), f"series of {expression}", timeout)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)
        self._log.close()
