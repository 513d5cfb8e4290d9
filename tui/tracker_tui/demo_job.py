"""One real training job for `tracker-tui demo`: a small network learns to tell two spirals apart, in plain Python.

    python -m tracker_tui.demo_job --dir runs --lr 0.1 --seed 1 --epochs 200 --pace 0.25

The same settings give the same numbers; without `--pace` they come at full speed, some milliseconds an epoch. The
learning rate warms up and then decays. One that is far too high makes the loss explode on the way up, and the job
fails as such jobs do.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import sys
import time
from collections.abc import Sequence
from operator import mul
from typing import Any, Final

from PIL import Image

import tracker

POINTS: Final = 450
"""Points of the data set; the last third is held out."""
WARM_UP: Final = 40
"""Epochs in which the learning rate rises to its peak; at most half of all."""
EVERY: Final = 10
"""Epochs between two pictures of what the network has learned."""
SIDE: Final = 64
"""Pixels of one."""
REACH: Final = 2.4
"""How far to each side of the middle it shows."""
ARMS: Final = ((66, 135, 245), (245, 158, 66))
"""Colours of the spirals."""
PATIENCE: Final = 0.5
"""Seconds between two looks at whether the parent still lives."""

Point = tuple[float, float, int]
"""x, y and the spiral it lies on, 0 or 1."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Train once.

    Args:
        arguments: the settings; default those of the command line.

    Raises:
        FloatingPointError: the learning rate is too high.
    """
    args = parse(arguments)
    rest(args.delay, args.parent)
    config = {
        "learning_rate": args.lr,
        "momentum": args.momentum,
        "batch_size": args.batch_size,
        "hidden_units": args.hidden,
        "epochs": args.epochs,
        "seed": args.seed,
        "dataset": f"two spirals, {POINTS} points",
    }
    with tracker.init(project="spirals", name=args.name, group=args.group, config=config, dir=args.dir) as run:
        train(args, run)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a small network to tell two spirals apart.")
    parser.add_argument("--dir", help="root of the runs (default: TRACKER_DIR, else ./runs)")
    parser.add_argument("--name", help="the run's name (default: made up)")
    parser.add_argument("--group", help="the group the run belongs to (default: none)")
    parser.add_argument("--lr", type=float, default=0.1, help="peak learning rate (default: %(default)s)")
    parser.add_argument("--hidden", type=int, default=16, help="hidden units (default: %(default)s)")
    parser.add_argument("--batch-size", type=int, default=16, help="points a step (default: %(default)s)")
    parser.add_argument("--momentum", type=float, default=0.9, help="of the descent (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=200, help="passes over the data (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of weights and order (default: %(default)s)")
    parser.add_argument("--pace", type=float, default=0.0, help="least seconds an epoch (default: full speed)")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds to wait before the start (default: none)")
    parser.add_argument("--parent", type=int, help="end as soon as this process is no longer the parent")
    return parser.parse_args(arguments)


def train(args: argparse.Namespace, run: tracker.Run) -> None:
    """Train epoch after epoch, logging one row each, the one whose loss is not finite included."""
    points, dice = spirals(POINTS, noise=0.16, seed=0), random.Random(args.seed)
    known, held_out = points[: POINTS * 2 // 3], points[POINTS * 2 // 3 :]
    network = Network(args.hidden, dice)
    for epoch in range(args.epochs):
        began = time.monotonic()
        lr = learning_rate(args.lr, epoch, args.epochs)
        dice.shuffle(known)
        batches = [known[at : at + args.batch_size] for at in range(0, len(known), args.batch_size)]
        norms = [network.learn(batch, lr, args.momentum) for batch in batches]
        loss, accuracy = network.score(known)
        val_loss, val_accuracy = network.score(held_out)
        row: dict[str, Any] = {
            "train/loss": loss,
            "train/accuracy": accuracy,
            "val/loss": val_loss,
            "val/accuracy": val_accuracy,
            "lr": lr,
            "grad_norm": sum(norms) / len(norms),
        }
        if epoch % EVERY == 0 and math.isfinite(loss):
            row["learned"] = tracker.Image(picture(network, held_out), caption=f"held-out accuracy {val_accuracy:.3f}")
            row["weights"] = tracker.Histogram(network.weights, num_bins=24)
            row["mistakes"] = mistakes(network, held_out)
        run.log(row)
        print(f"epoch {epoch + 1}/{args.epochs}: loss {loss:.4f}, held-out accuracy {val_accuracy:.3f}")
        if not math.isfinite(loss):
            raise FloatingPointError(f"loss is not finite: the learning rate {args.lr:g} is too high")
        rest(args.pace - (time.monotonic() - began), args.parent)


def picture(network: Network, points: Sequence[Point]) -> Image.Image:
    """Which spiral the network takes each place for, and the points as they are."""
    places = [REACH * (2 * at + 1 - SIDE) / SIDE for at in range(SIDE)]
    logits = network.forward([(x, -y, 0) for y in places for x in places])[1]
    pixels = bytearray()
    for chance in map(probability, logits):
        pixels += bytes(round(40 + 0.6 * (a + chance * (b - a) - 40)) for a, b in zip(*ARMS, strict=True))
    for x, y, arm in points:
        column, row = (int((at / REACH + 1) * SIDE / 2) for at in (x, -y))
        if 0 <= column < SIDE and 0 <= row < SIDE:
            at = 3 * (row * SIDE + column)
            pixels[at : at + 3] = bytes(ARMS[arm])
    return Image.frombytes("RGB", (SIDE, SIDE), bytes(pixels))


def mistakes(network: Network, points: Sequence[Point]) -> tracker.Table:
    """The points that the network takes for the other spiral's, the worst first."""
    chances = map(probability, network.forward(points)[1])
    wrong = [(x, y, arm, chance) for (x, y, arm), chance in zip(points, chances, strict=True) if (chance > 0.5) != arm]
    wrong.sort(key=lambda row: -abs(row[3] - row[2]))
    return tracker.Table(columns=["x", "y", "spiral", "taken for 1"], data=wrong)


def learning_rate(peak: float, epoch: int, epochs: int) -> float:
    """A linear warm-up to the peak, then half a cosine down to a hundredth of it."""
    warm_up = min(WARM_UP, epochs // 2)
    if epoch < warm_up:
        return peak * (epoch + 1) / warm_up
    decay = math.cos(math.pi * (epoch - warm_up) / (epochs - warm_up))
    return peak * (0.505 + 0.495 * decay)


def rest(seconds: float, parent: int | None) -> None:
    """Sleep, but leave the program once its parent is gone: no job outlives the dashboard it was started for."""
    until = time.monotonic() + seconds
    while True:
        if parent is not None and os.getppid() != parent:
            sys.exit("the process that wanted this job is gone")
        left = until - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, PATIENCE))


def spirals(count: int, noise: float, seed: int) -> list[Point]:
    """Points in random order on two arms, radius 2, that wind one and a half times around each other.

    Args:
        count: how many, half of them on each arm.
        noise: standard deviation of what blurs x and y.
        seed: the same seed gives the same points.
    """
    dice = random.Random(seed)
    points = []
    for index in range(count):
        arm, radius = index % 2, math.sqrt(dice.random())
        angle = 1.5 * math.tau * radius + math.pi * arm
        x, y = 2 * radius * math.cos(angle), 2 * radius * math.sin(angle)
        points.append((x + dice.gauss(0, noise), y + dice.gauss(0, noise), arm))
    dice.shuffle(points)
    return points


class Network:
    """Two inputs, one layer of tanh units, one logit; descends the cross-entropy's gradient with momentum."""

    def __init__(self, hidden: int, dice: random.Random) -> None:
        scales = (1.0, 1.0, 1.0, hidden**-0.5)
        self.weights = [dice.gauss(0, scale) for _ in range(hidden) for scale in scales]
        """Four numbers a unit: from x, from y, bias, to the logit."""
        self.velocity = [0.0] * len(self.weights)

    def forward(self, points: Sequence[Point]) -> tuple[list[list[float]], list[float]]:
        """Each unit's outputs, and the logits, for all points."""
        w = self.weights
        incoming = zip(w[0::4], w[1::4], w[2::4], strict=True)
        units = [[math.tanh(a * x + b * y + c) for x, y, _ in points] for a, b, c in incoming]
        return units, [sum(map(mul, w[3::4], outputs)) for outputs in zip(*units, strict=True)]

    def score(self, points: Sequence[Point]) -> tuple[float, float]:
        """Mean cross-entropy and accuracy; a true class that is left with no probability makes the loss infinite."""
        logits = self.forward(points)[1]
        chances = [probability(z if arm else -z) for z, (_, _, arm) in zip(logits, points, strict=True)]
        losses = [-math.log(chance) if chance else math.inf for chance in chances]
        return sum(losses) / len(points), sum(chance > 0.5 for chance in chances) / len(points)

    def learn(self, batch: Sequence[Point], lr: float, momentum: float) -> float:
        """Take one step downhill; returns the gradient's norm."""
        units, logits = self.forward(batch)
        xs, ys, arms = zip(*batch, strict=True)
        errors = [(probability(z) - arm) / len(batch) for z, arm in zip(logits, arms, strict=True)]
        gradient: list[float] = []
        for outputs, out in zip(units, self.weights[3::4], strict=True):
            inner = [error * out * (1 - h * h) for error, h in zip(errors, outputs, strict=True)]
            gradient += sum(map(mul, inner, xs)), sum(map(mul, inner, ys)), sum(inner), sum(map(mul, errors, outputs))
        self.velocity = [momentum * v + g for v, g in zip(self.velocity, gradient, strict=True)]
        self.weights = [w - lr * v for w, v in zip(self.weights, self.velocity, strict=True)]
        return math.hypot(*gradient)


def probability(logit: float) -> float:
    """The logistic function, by way of tanh because that cannot overflow; exactly 0 below about -38."""
    return 0.5 + 0.5 * math.tanh(logit / 2)


if __name__ == "__main__":
    main()
