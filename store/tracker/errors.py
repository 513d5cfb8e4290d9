"""What tracker raises of its own:

Error
├── UsageError       called in an order that makes no sense, e.g. `log` after `finish`
└── ConfigError      a config value would change without `allow_val_change=True`

Wrong types raise TypeError and values out of range ValueError, naming the argument. `log` raises nothing else.
"""

from __future__ import annotations


class Error(Exception):
    """Base of all of them."""


class UsageError(Error):
    """Called in an order that makes no sense."""


class ConfigError(Error):
    """A config value would change without `allow_val_change=True`."""
