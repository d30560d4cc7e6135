"""What a drill cannot do without."""

import os

import pytest


def missing(reason):
    """Skips the drill, or fails it where `STATUS2_REQUIRE_SERVERS=1` allows no skips."""
    if os.environ.get("STATUS2_REQUIRE_SERVERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
