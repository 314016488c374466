"""What the units of a network say while it runs, for losses that look inside."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from torch import Tensor, nn


class UnitOutputs:
    """Keeps the output of named modules from their last pass.

    Args:
        modules: names and modules to listen to.
        only_training: leave out passes in evaluation mode.
    """

    def __init__(self, modules: Iterable[tuple[str, nn.Module]], *, only_training: bool) -> None:
        self._kept: dict[str, Tensor] = {}
        # Module-level and partial, not a closure: DDP by spawning pickles the module with its hooks.
        self._handles = [
            module.register_forward_hook(partial(_keep, self._kept, name, only_training))
            for name, module in modules
        ]

    def take(self) -> dict[str, Tensor]:
        """Outputs by name; they are forgotten here, so that no graph outlives its step."""
        taken = dict(self._kept)
        self._kept.clear()
        return taken

    def close(self) -> None:
        """Stop listening."""
        for handle in self._handles:
            handle.remove()


def _keep(
    kept: dict[str, Tensor], name: str, only_training: bool, module: nn.Module, _inputs: Any, output: Tensor
) -> None:
    if module.training or not only_training:
        kept[name] = output
