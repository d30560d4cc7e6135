"""Scripts/figures: a planted regression of more than 10 % fails, and noise does not."""

import contextlib
import copy
import importlib.machinery
import importlib.util
import io
import json
import subprocess

import pytest

from conftest import REPOSITORY

SCRIPT = REPOSITORY / "Scripts/figures"


def _load():
    loader = importlib.machinery.SourceFileLoader("figures", str(SCRIPT))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("figures", loader))
    loader.exec_module(module)
    return module


figures = _load()


def _run(yardstick=0.5, machine="2 x a processor", **changes):
    """A run with a figure of each kind."""
    run = {
        "part": "test", "date": "2026-11-26", "commit": "abc", "machine": machine,
        "yardstick_s": yardstick, "figures": {
            "instructions": figures.figure([5000], "", "count", least=20),
            "worlds": figures.figure([48, 50, 52, 51, 10], "/s", "scaled", better="more"),
            "cost": figures.figure([40, 41, 39], "us", "scaled", least=2),
            "latency": figures.figure([1.0], "ms", "wait", least=5),
            "wait": figures.figure([10.0], "s", "wait", least=3)}}
    for name, samples in changes.items():
        run["figures"][name]["samples"] = samples
    return run


def _compare(run, history, **options):
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        kept, worse = figures.compare(run, history, **options)
    return kept, worse, printed.getvalue()


def _held(run):
    return run | {"held": True}


def test_the_first_run_is_held_against_nothing():
    kept, worse, printed = _compare(_run(), [])
    assert worse == [] and kept[-1]["held"]
    assert "5,000" in printed


def test_the_same_again_holds():
    assert _compare(_run(), [_held(_run())])[1] == []


@pytest.mark.parametrize("changes, name", [
    ({"instructions": [5600]}, "instructions"),
    ({"worlds": [43, 44, 45]}, "worlds"),
    ({"cost": [46, 47, 48]}, "cost"),
    ({"latency": [7.0]}, "latency"),
    ({"wait": [14.0]}, "wait"),
])
def test_a_regression_of_more_than_a_tenth_fails_and_is_told(changes, name):
    kept, worse, printed = _compare(_run(**changes), [_held(_run())])
    assert len(worse) == 1 and worse[0].startswith(f"{name} is worse by")
    assert f"| {name} |" in printed and "WORSE" in printed
    assert not kept[-1]["held"]


@pytest.mark.parametrize("changes", [
    {"instructions": [5450]},
    {"instructions": [3000], "worlds": [90], "cost": [10], "latency": [0.1], "wait": [1.0]},
    {"worlds": [46, 50, 3, 50, 49]},
    {"latency": [5.5]},
    {"wait": [12.0]},
], ids=["less than a tenth", "better", "an outlier among five", "a few ms", "a few s"])
def test_noise_and_betterment_hold(changes):
    assert _compare(_run(**changes), [_held(_run())])[1] == []


def test_a_machine_that_is_slower_by_half_blames_nobody():
    """All that takes processor time takes twice as long there, the yardstick too."""
    slower = _run(yardstick=1.0, machine="2 x another", worlds=[25], cost=[80], wait=[30.0])
    assert _compare(slower, [_held(_run())])[1] == []
    # What is not the machine's is seen all the same.
    assert _compare(copy.deepcopy(slower) | {"yardstick_s": 0.5}, [_held(_run())])[1] != []


def test_a_figure_that_is_no_longer_there_fails():
    run = _run()
    del run["figures"]["wait"]
    assert _compare(run, [_held(_run())])[1] == ["wait is no longer measured"]


def test_a_regression_fails_each_night_until_it_is_mended_or_accepted():
    dearer = _run(instructions=[5600])
    history, worse, _ = _compare(dearer, [_held(_run())])
    assert worse
    history, worse, _ = _compare(dearer, history)
    assert worse
    assert _compare(_run(), history)[1] == []
    history, worse, printed = _compare(dearer, history, accept=True)
    assert not worse and "new base" in printed
    assert _compare(dearer, history)[1] == []


def test_what_becomes_worse_bit_by_bit_is_found():
    history = []
    for instructions in (5000, 5400, 5800):
        history, worse, _ = _compare(_run(instructions=[instructions]), history)
        assert worse == []
    worse = _compare(_run(instructions=[6200]), history)[1]
    assert worse and "than on 2026-11-26" in worse[0]


def test_so_many_runs_are_kept():
    history = []
    for _ in range(figures.KEPT + 5):
        history = _compare(_run(), history)[0]
    assert len(history) == figures.KEPT


def test_the_harnesses_of_the_fuzzer_are_judged_together():
    def night(rates):
        text = "".join(f"2026-11-26 h{number} 10 {rate * 10}\n" for number, rate in enumerate(rates))
        return _run() | {"figures": figures.fuzz(text, "2026-11-26")}
    base = [_held(night([1000] * 5))]
    assert _compare(night([400, 1000, 1000, 1000, 1700]), base)[1] == []
    assert _compare(night([850, 860, 870, 880, 2000]), base)[1] == ["fuzz is worse by 15%"]


def test_what_the_parts_write_is_read(tmp_path):
    table = "| subscriptions |\n| --- |\n" + "".join(
        f"| {name} | {burst} | 5123 | -0.001 | 2.000 |\n"
        for name in ("dedicated", "shared") for burst in (1, 16))
    assert figures.bench(table)["instructions (dedicated, 1 a turn)"]["samples"] == [5123]
    with pytest.raises(AssertionError):
        figures.bench(table.replace("| shared | 1 |", "| shared | one |"))
    (tmp_path / "soak.json").write_text(
        json.dumps({"at_the_end": {"memory_bytes": 2e7, "descriptors": 30}}))
    assert figures.chaos(tmp_path)["descriptors after the soak"]["samples"] == [30]
    report = {"latency_ms": {"p95": 2.5}, "daemon_processor_us_per_message": 40}
    found = figures.scale_figures({"pages": [report]})
    assert found["latency, p95 (pages)"]["samples"] == [2.5]
    assert found["processor time of a message (pages)"]["samples"] == [40]


def test_the_exit_status_and_the_files(tmp_path):
    now, history = tmp_path / "now.json", tmp_path / "history.json"

    def run(figures_of_now, **environment):
        now.write_text(json.dumps(figures_of_now))
        return subprocess.run(
            [str(SCRIPT), "compare", str(now), str(history)], capture_output=True, text=True,
            env={"PATH": "/usr/bin:/bin"} | environment)

    assert run(_run()).returncode == 0
    failed = run(_run(instructions=[6000]))
    assert failed.returncode == 1 and "instructions is worse by 20%" in failed.stderr
    assert run(_run(instructions=[6000]), FIGURES_ACCEPT="1").returncode == 0
    assert run(_run(instructions=[6000])).returncode == 0
    assert len(json.loads(history.read_text())) == 2
