"""The first script to try: ten epochs of made-up numbers. Run it, then `tracker-tui` in the same folder."""
# ruff: noqa: E401, I001
# fmt: off

import random, tracker
config = {"epochs": 10, "learning_rate": 0.01}
with tracker.init(project="awesome-project", config=config) as run:
    print(f"lr: {config['learning_rate']}")
    for epoch in range(config["epochs"]):
        offset = random.random() / 5
        acc = 1 - 2**-epoch - random.random() / (epoch + 1) - offset
        loss = 2**-epoch + random.random() / (epoch + 1) + offset
        print(f"epoch={epoch}, accuracy={acc}, loss={loss}")
        run.log({"accuracy": acc, "loss": loss})
