"""Jobs that log artifacts and meet their end, or trouble. One process forks them all, so that a job costs milliseconds.

Each line of JSON on stdin is an order, each on stdout how many versions had been logged when the job was over.
"""

from __future__ import annotations

import json
import mmap
import os
import random
import signal
import sys
import time
from typing import Any

from faulty import Last, Trouble, interpose

import tracker
from tracker import artifacts, machine, media, starting, surroundings

READY = (artifacts, machine, media, starting, surroundings)
"""Loaded before the first fork, or most jobs would be killed while they load them."""
LOGGED, CALLS, FAILURES = range(3)
"""Places in the shared memory."""


def content(order: dict[str, Any], number: int) -> bytes:
    """What a version is made of: small, or larger than what is copied at once."""
    words = f"{order['job']} {number} ".encode()
    return words * (1 if number % 3 else 250_000)


def job(order: dict[str, Any], board: Any) -> None:
    run = tracker.init(project="p", dir=order["root"], console="off", settings={"x_disable_stats": True})
    trouble = Trouble(random.Random(order["trouble"]), False) if "trouble" in order else None
    fault = Last(*order["last_call"]) if "last_call" in order else trouble
    if fault is not None:
        interpose(os.path.join(order["root"], "p"), fault)
    for number in range(order["versions"]):
        artifact = tracker.Artifact("m", "model")
        try:
            with artifact.new_file("new") as file:
                file.write("new")
        except OSError:  # what the job itself writes
            assert trouble is not None
        for name, data in (("own", content(order, number)), ("same", b"the same in all"), ("large", bytes(3_000_000))):
            source = f"{order['root']}.{os.getpid()}"
            with open(source, "wb") as file:
                file.write(data)
            artifact.add_file(source, name)
        logged = run.log_artifact(artifact, aliases=[f"job{order['job']}"])
        board[LOGGED] += not logged.is_draft()
    os.unlink(source)
    if trouble is not None:
        trouble.is_over = True
        board[CALLS], board[FAILURES] = trouble.calls, trouble.failures
    run.finish()


def main() -> None:
    board = memoryview(mmap.mmap(-1, 4096)).cast("q")
    for line in sys.stdin:
        order = json.loads(line)
        board[:] = memoryview(bytes(board.nbytes)).cast("q")
        pid = os.fork()
        if not pid:
            output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
            os.dup2(output, 1)
            os.dup2(output, 2)
            job(order, board)
            sys.exit()
        if "delay" in order:
            time.sleep(order["delay"])
            os.kill(pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
        print(json.dumps({"board": board[:3].tolist(), "status": status}), flush=True)


if __name__ == "__main__":
    main()
