"""A sweep: runs that share a group, one a process, started by a plain pool. The search is random; use what you like.

`python sweep.py --runs 4`
"""

import argparse
import multiprocessing
import random

import tracker


def train(number: int) -> float:
    """Minimise (x - 3)^2 by gradient descent with a random learning rate."""
    lr = 10 ** random.Random(number).uniform(-3, 0.1)
    with tracker.init(project="sweep", group="random-search", job_type="train", config={"lr": lr}) as run:
        x = 0.0
        for _ in range(30):
            x -= lr * 2 * (x - 3)
            run.log({"loss": (x - 3) ** 2, "x": x})
        return run.summary["loss"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=4)
    count = parser.parse_args().runs
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        losses = pool.map(train, range(count))
    best = tracker.Api().runs("sweep", {"group": "random-search"}, order="+summary_metrics.loss")[0]
    print(f"best of {count}: {best.name} with lr {best.config['lr']:.4f} and loss {min(losses):.3g}")
