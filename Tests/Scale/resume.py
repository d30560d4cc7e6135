"""Pages that come back and resume, while one fault after the other befalls daemon and Redis."""

import contextlib
import json
import os
import random
import signal
import subprocess
import tempfile
import time

from Scale.servers import Failure
from Scale.trial import ROOT, Trial

# For so long the resume trials stop the daemon, which is nobody's loss, and Redis, which is then given
# up; they leave a machine that has other work time to answer.
DAEMON_STOPPED_SECONDS = (2, 4)
REDIS_STOPPED_SECONDS = (4, 6)


class Faults:
    """What befalls daemon and Redis while pages listen; they are told before and after each."""

    def __init__(self, trial, pages, interval):
        self.trial, self.pages, self.interval = trial, pages, interval
        self.kinds = {
            "roll": lambda: trial.daemon.roll(),
            "kill": lambda: (trial.daemon.kill(), trial.daemon.start()),
            "redis-restart": self._restart_redis,
            "pause": lambda: self._pause(trial.daemon, DAEMON_STOPPED_SECONDS),
            "redis-pause": lambda: self._pause(trial.redis, REDIS_STOPPED_SECONDS)}
        # What happens when is the same for the same seed.
        self.seed = int(os.environ.get("SCALE_SEED", random.randrange(2**32)))
        self.chance = random.Random(self.seed)

    def run(self, seconds):
        """One fault after the other for so long, each kind as often as any other."""
        end = time.monotonic() + seconds
        waiting = []
        while True:
            waiting = waiting or self.chance.sample(list(self.kinds), len(self.kinds))
            pause = self.interval * self.chance.uniform(0.5, 1.5)
            if time.monotonic() + pause + max(REDIS_STOPPED_SECONDS) > end:
                return
            time.sleep(pause)
            if self.pages.poll() is not None:
                return
            self._happen(waiting.pop())

    def _happen(self, kind):
        self._tell(kind, "begin")
        self.kinds[kind]()
        self._tell(kind, "end")

    def _tell(self, kind, phase):
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps({"fault": kind, "phase": phase}), file=self.pages.stdin, flush=True)

    def _restart_redis(self):
        self.trial.redis.stop()
        time.sleep(self.chance.uniform(0, 1))
        self.trial.redis.start()

    def _pause(self, server, seconds):
        server.process.send_signal(signal.SIGSTOP)
        time.sleep(self.chance.uniform(*seconds))
        server.process.send_signal(signal.SIGCONT)


def resume(pages, seconds, mean_life, interval, mode):
    """Pages with the shipped client that lose their connections hear all once, or of what they miss."""
    settings = {
        "STATUS_REDIS_SUBSCRIPTIONS": mode, "STATUS_PING_INTERVAL": "2s",
        "STATUS_REDIS_PING_INTERVAL": "1s", "STATUS_REDIS_REQUEST_TIMEOUT": "2s",
        "STATUS_REDIS_RETRY_BASE": "200ms",
        "STATUS_REDIS_RETRY_MAX": "2s", "STATUS_REDIS_MAX_RETRIES": "0"}
    with Trial(pages, **settings) as trial, tempfile.TemporaryFile("w+") as output:
        run = trial.load = subprocess.Popen(
            ["node", str(ROOT / "Tests/Pages/resume-run.mjs"),
             "--url", f"ws://127.0.0.1:{trial.daemon.port}", "--redis", str(trial.redis.port),
             "--pages", str(pages), "--channels", str(max(1, pages // 50)),
             "--minutes", str(seconds / 60), "--mean-life", str(mean_life)],
            stdin=subprocess.PIPE, stdout=output, stderr=subprocess.PIPE, text=True)
        faults = Faults(trial, run, interval)
        if run.stderr.readline().strip() == "publishing":
            faults.run(seconds)
        complaints = run.communicate(timeout=2 * seconds + 300)[1]
        output.seek(0)
        text = output.read()
        if run.returncode not in (0, 1) or not text:
            raise Failure(f"the pages ended with status {run.returncode}: {complaints[-2000:]}")
        figures = json.loads(text) | {"seed": faults.seed}
        if figures["failures"]:
            raise Failure("; ".join(figures["failures"]), figures)
        if set(figures["faults"]) != set(faults.kinds):
            raise Failure(f"not every fault has happened: {figures['faults']}", figures)
        trial.assert_ledgers_balance()
        return figures
