"""Lets a coverage-guided fuzzer (atheris, libFuzzer's for Python) look for inputs that break a property.

    python tests/faults/fuzz.py --minutes 10                    # every property of test_properties.py
    python tests/faults/fuzz.py test_any_file_is_a_run --corpus ~/corpus

A table tells cases and coverage. An input that breaks a property is kept in the corpus with `crash-` before its name,
and what it breaks is printed. Properties are fuzzed one after the other, each in a process of its own.
"""

from __future__ import annotations

import argparse
import functools
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

START = 2
"""Seconds until a process has loaded what it needs."""
HERE = Path(__file__).resolve().parent


class Fuzzed(NamedTuple):
    """What came of a property."""

    name: str
    cases: int
    coverage: int
    """Places in the code that were reached."""
    failure: str
    """Empty where it held."""


def properties() -> list[str]:
    """The properties' names."""
    return re.findall(r"^def (test_\w+)", (HERE / "test_properties.py").read_text(), re.MULTILINE)


def fuzz(name: str, seconds: float, corpus: Path) -> Fuzzed:
    """Look for an input that breaks a property.

    Args:
        name: the property's.
        seconds: how long.
        corpus: a folder for inputs that reached something new, where the next time begins.
    """
    inputs = corpus / name
    inputs.mkdir(parents=True, exist_ok=True)
    limits = [f"-max_total_time={START + max(1, round(seconds))}", "-timeout=60", "-rss_limit_mb=4096", "-max_len=8192"]
    done = subprocess.run(
        [sys.executable, __file__, "--one", name, *limits, f"-artifact_prefix={inputs}/", str(inputs)],
        capture_output=True,
        text=True,
        errors="replace",
    )
    told = re.findall(r"^#(\d+)\s+\w+\s+cov: (\d+)", done.stderr, re.MULTILINE)
    cases, coverage = map(int, told[-1]) if told else (0, 0)
    total = re.search(r"stat::number_of_executed_units: (\d+)|^Done (\d+) in", done.stderr, re.MULTILINE)
    if total is not None:
        cases = int(total[1] or total[2])
    return Fuzzed(name, cases, coverage, "" if done.returncode == 0 else _without_progress(done.stderr))


def _without_progress(told: str) -> str:
    return "\n".join(line for line in told.splitlines() if not line.startswith(("#", "INFO")))[-8000:]


def fuzz_here(name: str, words: list[str]) -> None:
    """Fuzz in this process, which ends with it."""
    import atheris

    sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parents[1] / "store"), str(HERE.parents[1] / "tui")]
    with atheris.instrument_imports(include=["tracker", "tracker_tui"], enable_loader_override=False):
        import test_properties
    test = getattr(test_properties, name).hypothesis
    holds = test.inner_test

    @functools.wraps(holds)
    def tell(**case: object) -> None:
        try:
            holds(**case)
        except Exception:
            sys.stderr.write(f"{name} does not hold of {case!r}\n")
            raise

    test.inner_test = tell
    atheris.Setup([__file__, *words], test.fuzz_one_input)
    atheris.Fuzz()


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        fuzz_here(sys.argv[2], sys.argv[3:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=properties(), help="properties; default: all")
    parser.add_argument("--minutes", type=float, default=1.0, help="for each (default: %(default)s)")
    parser.add_argument("--corpus", type=Path, help="a folder that is kept (default: one that is not)")
    wanted = parser.parse_args()
    print("| property | cases | places reached | result |\n|---|---|---|---|")
    is_sound = True
    with tempfile.TemporaryDirectory() as scratch:
        for name in wanted.names:
            found = fuzz(name, 60 * wanted.minutes, wanted.corpus or Path(scratch))
            print(
                f"| {name} | {found.cases:,} | {found.coverage:,} | {'broken' if found.failure else 'holds'} |",
                flush=True,
            )
            if found.failure:
                is_sound = False
                print(found.failure, file=sys.stderr)
    sys.exit(not is_sound)


if __name__ == "__main__":
    main()
