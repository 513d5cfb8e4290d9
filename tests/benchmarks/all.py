"""Everything that is measured, in one table: `python tests/benchmarks/all.py [--quick] [--data FOLDER] [--peers VENV]`.

It takes an hour; with `--quick` a quarter of one, at a tenth of the size. Data sets of some 1 GB are built in FOLDER
once, else in a temporary one. VENV is an environment with other tools: `python3 -m venv VENV && VENV/bin/pip install
orjson wandb trackio tlog-ml tensorboard tensorboardX mlflow`; those that are not installed are left out.
`--only store scale` runs these files alone; each may be run by itself too.

The table is Markdown. A ratio is to the floor or budget that stands beside; `!` marks what is over.
"""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from measuring import Options, asked, put, say, table

FILES = (
    "store",
    "peers",
    "dashboard",
    "charts",
    "console",
    "scale",
    "media",
    "reading",
    "artifacts",
    "opening",
    "foreign",
    "far",
)


def main() -> None:
    """Run the files one after the other; one that fails does not keep the others from it."""
    failed = []
    with asked(__doc__ or "", "only") as (options, given):
        for name in FILES:
            if given.only and name not in given.only:
                continue
            say(f"\n{name}.py")
            began = time.monotonic()
            try:
                measure: Callable[[Options], None] = (
                    reading if name == "reading" else importlib.import_module(name).main
                )
                measure(options)
            except Exception:
                traceback.print_exc()
                failed.append(name)
            say(f"({time.monotonic() - began:.0f} s)")
        say("\n" + table())
    sys.exit(f"failed: {' '.join(failed)}" if failed else 0)


def reading(options: Options) -> None:
    """`reading.py` runs where the other tools are, for they read there; its last column is taken down."""
    interpreter = options.peers / "bin" / "python" if options.peers else Path(sys.executable)
    sizes = {"rows": 1_000_000, "runs": 10_000, "peer-rows": 100_000, "peer-runs": 200}
    words = [word for name, size in sizes.items() for word in (f"--{name}", str(options.size(size)))]
    done = subprocess.run(
        [str(interpreter), str(Path(__file__).with_name("reading.py")), *words],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    floors: dict[str, tuple[float, str]] = {}
    for line in done.stdout.splitlines()[1:]:
        found = re.fullmatch(r"(.+), [\d,]+ (rows|runs)", " ".join(line[:54].split()))
        assert found is not None, line
        reader, kind = found.groups()
        seconds, most = float(line.split()[-1]), {"rows": "1,000,000 rows", "runs": "10,000 runs"}[kind]
        floor, floor_is = floors.get(kind, (None, ""))
        put(f"{reader}: {most}", seconds, "s", floor, floor_is=floor_is)
        if "floor" in reader:
            floors[kind] = seconds, reader.partition("floor: ")[2]


if __name__ == "__main__":
    main()
