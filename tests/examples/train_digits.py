"""Train a small network on scikit-learn's handwritten digits.

    python train_digits.py --lr 0.003
    tracker-tui

Run it a few times with other learning rates, and watch them side by side.
"""

import argparse
import time

from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

import tracker

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--epochs", type=int, default=40)
parser.add_argument("--lr", type=float, default=0.001, help="learning rate of Adam")
parser.add_argument("--hidden", type=int, default=32, help="hidden units")
parser.add_argument("--batch-size", type=int, default=32)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--pace", type=float, default=0.0, help="seconds to wait after each epoch")
parser.add_argument("--dir", help="where runs are kept (default: TRACKER_DIR, else ./runs)")
parser.add_argument("--name", help="the run's name (default: made up)")
args = parser.parse_args()

images, labels = load_digits(return_X_y=True)
train_x, val_x, train_y, val_y = train_test_split(
    images / 16, labels, test_size=0.25, stratify=labels, random_state=args.seed
)
model = MLPClassifier(
    hidden_layer_sizes=(args.hidden,),
    learning_rate_init=args.lr,
    batch_size=args.batch_size,
    random_state=args.seed,
)


def evaluate(x, y):
    """Mean cross-entropy and accuracy."""
    return log_loss(y, model.predict_proba(x)), model.score(x, y)


config = {"epochs": args.epochs, "lr": args.lr, "hidden": args.hidden, "batch_size": args.batch_size, "seed": args.seed}
with tracker.init(project="digits", name=args.name, config=config, dir=args.dir) as run:
    for epoch in range(args.epochs):
        model.partial_fit(train_x, train_y, classes=range(10))  # one pass over the data, in shuffled batches
        loss, accuracy = evaluate(train_x, train_y)
        val_loss, val_accuracy = evaluate(val_x, val_y)
        run.log({"train/loss": loss, "train/accuracy": accuracy, "val/loss": val_loss, "val/accuracy": val_accuracy})
        print(f"epoch {epoch + 1}/{args.epochs}: loss {loss:.4f}, held-out accuracy {val_accuracy:.3f}")
        time.sleep(args.pace)
