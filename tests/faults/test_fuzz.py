"""The coverage-guided fuzzer works, and finds nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import fuzz
import pytest


def test_the_fuzzer_finds_nothing(
    pytestconfig: pytest.Config, tmp_path: Path, tried: Callable[[str, str, str], None]
) -> None:
    """In the short version one property for a second; in the long one each, for as many seconds as the effort."""
    pytest.importorskip("atheris")
    effort = pytestconfig.getoption("effort")
    names = fuzz.properties() if effort > 1 else ["test_any_query_is_understood_or_explained"]
    found = [fuzz.fuzz(name, effort, tmp_path) for name in names]
    for each in found:
        assert not each.failure, f"{each.name}: {each.failure}"
    cases, minutes = sum(each.cases for each in found), len(found) * effort / 60
    tried("coverage-guided fuzzing", f"{cases:,} cases of {len(found)} properties, {minutes:,.1f} min", "all hold")
