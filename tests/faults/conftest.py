"""How many cases the properties are tried with."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

SHORT = 40
"""Cases of a property."""


def pytest_configure(config: pytest.Config) -> None:
    """In the short version the same cases every time, so that nobody's change fails by chance."""
    effort = config.getoption("effort")
    settings.register_profile(
        "effort",
        max_examples=max(1, round(SHORT * effort)),
        derandomize=effort <= 1,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    settings.load_profile("effort")
