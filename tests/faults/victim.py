"""Jobs that meet their end, or trouble. One process forks them all, so that a job costs milliseconds.

Each line of JSON on stdin is an order, each on stdout what of the job had returned when it was over. A job tells that
by storing numbers into shared memory, which outlives it whatever ends it.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from faulty import Last, Trouble, interpose

import tracker
from tracker import capture, console, gpus, host, journal, lifecycle, machine, media, starting, surroundings

READY = (gpus, machine, media, starting, surroundings)
"""Loaded before the first fork, or most jobs would be killed while they load them."""
BEGAN, STEP, FINISHED, PRINTED, EDITS, CALLS, FAILURES, ROWS = range(8)
"""Places in the shared memory; from ROWS on the rows of each thread, and last those of the other run."""
THREADS = 2
GAP = 1.0
"""Seconds before the end in which printed lines may be lost: a tenth, and the time a busy machine needs for a flood."""
Board = Any


def job(order: dict[str, Any], board: Board) -> None:
    """Do everything that a job can do, from several threads."""
    trouble = _meet(order)
    common = {"project": "p", "dir": order["root"], "settings": {"x_stats_sampling_interval": 0.1}}
    born = order["born"]
    run = tracker.init(
        id=order["id"], resume=order["resume"], config={f"born {born}": born}, console=order["console"], **common
    )
    board[STEP], board[BEGAN] = run.step, 1
    other = tracker.init(id=f"{order['id']}-other", resume="allow", console="off", reinit="create_new", **common)
    if trouble is not None:
        trouble.is_over = False
    tasks: list[tuple[Callable[..., None], tuple[Any, ...]]] = [
        *((log_rows, (run, f"{born}.{number}", order["rows"], board, ROWS + number)) for number in range(THREADS)),
        (log_rows, (other, f"{born}.{THREADS}", order["rows"], board, ROWS + THREADS)),
        (make_edits, (run, born, order["edits"], board)),
        (print_lines, (born, order["lines"], board)),
    ]
    threads = [threading.Thread(target=task, args=arguments) for task, arguments in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if trouble is not None:
        trouble.is_over = order["ends_well"]
        board[CALLS], board[FAILURES] = trouble.calls, trouble.failures
    if order["exits"]:
        sys.exit()
    run.finish()
    board[FINISHED] = 1
    other.finish()
    board[FINISHED] = 2
    if "delay" in order:
        signal.pause()


def _meet(order: dict[str, Any]) -> Trouble | None:
    """Let the job have the fault that is ordered."""
    if "last_call" in order:
        interpose(order["root"], Last(*order["last_call"]))
    if "trouble" not in order:
        return None
    trouble = Trouble(random.Random(order["trouble"]), order["is_remote"])
    journal.RETRY = 0.002
    lifecycle.HEARTBEAT = lifecycle.SYNC = lifecycle.REMOTE_SYNC = 0.01
    console.GAP = capture.GAP = 0.001
    trouble.is_over = not order["at_start"]
    host.is_network = lambda _: order["is_remote"]
    interpose(order["root"], trouble)
    return trouble


def log_rows(run: tracker.Run, key: str, count: int, board: Board, place: int) -> None:
    for number in range(count):
        if number % 7 == 3:
            run.log({"part": number}, commit=False)
        page = (
            {"page": tracker.Html(f"{key} {number}", data_is_not_path=True)} if number % 50 == 5 else {}
        )  # a file takes a hundred rows' time
        run.log({key: number, "loss": 1 / (number + 1), "odd": math.nan if number % 11 == 0 else "words", **page})
        board[place] = number + 1


def make_edits(run: tracker.Run, born: int, count: int, board: Board) -> None:
    for number in range(count):
        run.name = f"name {born} {number}"
        run.summary["best"] = [born, number]
        run.config.update({f"config {born} {number % 50}": number}, allow_val_change=True)
        run.define_metric(f"metric {born} {number % 50}", summary="max")
        run.alert(f"alert {born} {number}")
        board[EDITS] = number + 1
        time.sleep(0.001)


def print_lines(born: int, count: int, board: Board) -> None:
    for number in range(count):
        sys.stdout.write(f"line {born} {number}\n")  # whole, whoever else writes
        sys.stdout.flush()
        board[PRINTED] = number + 1


def fork(order: dict[str, Any], board: Board) -> int:
    """Begin a job; its pid. The job does not return."""
    board[:] = memoryview(bytes(board.nbytes)).cast("q")
    pid = os.fork()
    if pid:
        return pid
    output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.dup2(output, 1)
    os.dup2(output, 2)
    job(order, board)
    sys.exit()


def main() -> None:
    board = memoryview(mmap.mmap(-1, 4096)).cast("q")
    for line in sys.stdin:
        order = json.loads(line)
        pid = fork(order, board)
        before = 0
        if "delay" in order:
            if order["delay"] > GAP:
                time.sleep(order["delay"] - GAP)
                before = board[PRINTED]
            time.sleep(min(GAP, order["delay"]))
            os.kill(pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
        told = board[: ROWS + THREADS + 1].tolist()
        print(json.dumps({"board": told, "printed_before": before, "status": status}), flush=True)


if __name__ == "__main__":
    main()
