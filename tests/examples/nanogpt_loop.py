"""A language model trained the way nanoGPT does it: `wandb.init(project, name, config)`, 0-d tensors, no finish.

The model is a table of bigram logits over letters, trained by gradient descent on a sentence; `Tensor` stands in for
torch's 0-d tensors, of which loggers use `.item()` alone.
"""

import math
import os
import time

import tracker as wandb

wandb_project = "nanogpt"
wandb_run_name = "bigram" + str(int(time.time()))
max_iters, eval_interval, learning_rate = 40, 10, 5.0
config = {k: v for k, v in globals().items() if not k.startswith("_") and isinstance(v, (int, float, bool, str))}


class Tensor:
    """A number on some device."""

    def __init__(self, value: float) -> None:
        self.value = value

    def item(self) -> float:
        return self.value


text = "the quick brown fox jumps over the lazy dog and the dog sleeps on "
letters = sorted(set(text))
pairs = [(letters.index(a), letters.index(b)) for a, b in zip(text, text[1:] + text[0], strict=True)]
logits = [[0.0] * len(letters) for _ in letters]


def loss_and_gradient() -> tuple[Tensor, list[list[float]]]:
    gradient = [[0.0] * len(letters) for _ in letters]
    total = 0.0
    for a, b in pairs:
        exps = [math.exp(v) for v in logits[a]]
        norm = sum(exps)
        total -= math.log(exps[b] / norm)
        for i, e in enumerate(exps):
            gradient[a][i] += (e / norm - (i == b)) / len(pairs)
    return Tensor(total / len(pairs)), gradient


wandb.init(project=wandb_project, name=wandb_run_name, config=config)
for iter_num in range(max_iters + 1):
    loss, gradient = loss_and_gradient()
    if iter_num % eval_interval == 0:
        wandb.log({"iter": iter_num, "train/loss": loss, "val/loss": loss, "lr": learning_rate, "mfu": -100.0})
        print(f"step {iter_num}: train loss {loss.item():.4f}", flush=True)
    for row, slope in zip(logits, gradient, strict=True):
        for i, g in enumerate(slope):
            row[i] -= learning_rate * g
print("out dir", os.getcwd())
