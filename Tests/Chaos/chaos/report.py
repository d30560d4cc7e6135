"""Figures of a drill, for docs/reliability.md: `STATUS2_REPORT=directory` has them written."""

import datetime
import json
import os
import pathlib


def write(name, **figures):
    """Writes the figures as `name.json` into the directory of `STATUS2_REPORT`, if that is set."""
    directory = os.environ.get("STATUS2_REPORT")
    if not directory:
        return
    figures |= {
        "date": datetime.date.today().isoformat(),
        "cores": os.cpu_count(),
    }
    path = pathlib.Path(directory)
    path.mkdir(parents=True, exist_ok=True)
    (path / f"{name}.json").write_text(json.dumps(figures, indent=2) + "\n")


def milliseconds(latencies):
    """Shares of the latencies, in milliseconds."""
    ordered = sorted(latencies)
    return {
        name: round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2)
        for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1))}
