"""A job on a cluster that takes machines away: it saves its model, is killed, is started again and goes on.

`python preempted.py STATE.json --stop-after 7` stops by SIGKILL after that many steps of this start.
"""

import argparse
import json
import os
import signal

import tracker as wandb

parser = argparse.ArgumentParser()
parser.add_argument("state")
parser.add_argument("--steps", type=int, default=20)
parser.add_argument("--stop-after", type=int)
args = parser.parse_args()

state = {"step": 0, "weight": 5.0, "run_id": None}
if os.path.exists(args.state):
    with open(args.state) as file:
        state = json.load(file)

run = wandb.init(project="preempted", id=state["run_id"], resume="allow", config={"steps": args.steps})
state["run_id"] = run.id
begun = state["step"]
while state["step"] < args.steps:
    state["weight"] -= 0.2 * 2 * state["weight"]
    run.log({"loss": state["weight"] ** 2, "weight": state["weight"]}, step=state["step"])
    state["step"] += 1
    if state["step"] % 5 == 0:  # the model is saved less often than metrics are logged
        with open(args.state, "w") as file:
            json.dump(state, file)
    if args.stop_after is not None and state["step"] - begun >= args.stop_after:
        os.kill(os.getpid(), signal.SIGKILL)
run.finish()
