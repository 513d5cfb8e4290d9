"""`Run.watch`: histograms of a model's gradients and parameters as it trains."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from tracker.histogram import Histogram

WHAT: Final = ("gradients", "parameters", "all", None)


class Watcher:
    """Hooks on the parameters of models; they log through the function given.

    Args:
        log: logs a mapping without completing the step.
    """

    def __init__(self, log: Callable[[Mapping[str, Any]], None]) -> None:
        self._log = log
        self._hooks: list[Any] = []

    def watch(self, model: Any, prefix: str, what: str | None, frequency: int) -> bool:
        """Hook a model's parameters; False if it offers none, as torch modules do with `named_parameters()`.

        Args:
            model: the model.
            prefix: goes before the names of parameters.
            what: `gradients`, `parameters`, `all` or None.
            frequency: backward passes between two histograms of one parameter.
        """
        if not callable(getattr(model, "named_parameters", None)):
            return False
        for name, parameter in model.named_parameters():
            if what is not None and getattr(parameter, "requires_grad", False):
                self._hook(prefix + name, parameter, what, frequency)
        return True

    def _hook(self, name: str, parameter: Any, what: str, frequency: int) -> None:
        passes = 0

        def look(gradient: Any) -> None:
            nonlocal passes
            passes += 1
            if passes % frequency:
                return
            if what in ("gradients", "all"):
                self._log({f"gradients/{name}": Histogram(gradient)})
            if what in ("parameters", "all"):
                self._log({f"parameters/{name}": Histogram(getattr(parameter, "data", parameter))})

        self._hooks.append(parameter.register_hook(look))

    def stop(self) -> None:
        """Remove every hook."""
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()
