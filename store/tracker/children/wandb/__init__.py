"""Found by `import wandb` in what `python -m tracker` has started: the stand-in takes the place of this module."""

from __future__ import annotations

import sys

from tracker.standin import as_wandb

del sys.modules["wandb"]
as_wandb()
