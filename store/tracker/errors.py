"""What tracker raises of its own:

Error
├── UsageError       called in an order that makes no sense, e.g. `log` after `finish`
├── ConfigError      a config value would change without `allow_val_change=True`
└── ChecksumError    a file of an artifact is not what its checksum says (also a ValueError)

Wrong types raise TypeError and values out of range ValueError, naming the argument. `log` raises nothing else.
"""

from __future__ import annotations


def missing(name: str) -> str:
    """What is said of a name of W&B's that tracker does not have."""
    return f"{name} is not here: tracker stands in for wandb (docs/integrations.md says what it has, and where to ask)"


class Error(Exception):
    """Base of all of them."""


class UsageError(Error):
    """Called in an order that makes no sense."""


class ConfigError(Error):
    """A config value would change without `allow_val_change=True`."""


class ChecksumError(Error, ValueError):
    """A content is not what its checksum says."""
