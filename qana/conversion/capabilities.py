"""What a target runs, and every place where a network asks for something else.

Checked against akida 2.19.3 and cnn2snn 2.19.3 by `tests/conversion/test_capabilities.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from qana.backbone.ghost import GhostModule
from qana.backbone.network import Network
from qana.backbone.unit import ConvUnit, HeadUnit, SeparableUnit, Unit

KERNEL_SIZES = (1, 3, 5, 7)


@dataclass(frozen=True)
class Offence:
    """One thing a target cannot do.

    Attributes:
        module: path of the unit in the network.
        found: what it asks for.
        rewrite: what to do instead.
    """

    module: str
    found: str
    rewrite: str


@dataclass(frozen=True)
class Capabilities:
    """The capability table of one Akida generation.

    Attributes:
        generation: 1 or 2.
        bit_widths: legal (weight, activation) pairs.
        pooled_positions: most positions of a map that a global average pool takes.
    """

    # Akida v1 on the device: "the output of the convolution must have at least 3 rows" (akida 2.19.3).
    FEWEST_POOLED_ROWS: ClassVar[int] = 3

    generation: int
    bit_widths: tuple[tuple[int, int], ...]
    pooled_positions: int

    def offences(self, network: Network, image_shape: tuple[int, int, int]) -> list[Offence]:
        """Everything in `network` that this generation does not run, in network order."""
        found: list[Offence] = []
        shapes = _map_shapes(network, image_shape)
        for path, module in network.named_modules():
            if isinstance(module, GhostModule) and self.generation == 1:
                found.append(
                    Offence(path, "a concatenation", "use the separable form (backbone.form=separable)")
                )
            if isinstance(module, Unit):
                found += self._unit_offences(path, module, shapes[module])
        return found

    def _unit_offences(self, path: str, unit: Unit, shape: torch.Size) -> list[Offence]:
        found = []
        if self.generation == 1 and isinstance(unit, ConvUnit) and unit.conv.groups > 1:
            found.append(Offence(path, "a depthwise convolution on its own", "use a SeparableUnit"))
        if self.generation == 2 and isinstance(unit, SeparableUnit):
            found.append(
                Offence(path, "a separable convolution", "split it into a depthwise and a 1x1 ConvUnit")
            )
        if unit.relu is None and not isinstance(unit, HeadUnit):
            found.append(Offence(path, "no activation", "give the unit a bound"))
        found += self._pool_offences(path, unit, shape)
        for conv in unit.weighted():
            kernel, stride = conv.kernel_size[0], conv.stride[0]
            if kernel not in KERNEL_SIZES or stride not in (1, 2) or stride > kernel:
                found.append(
                    Offence(
                        path, f"a {kernel}x{kernel} kernel at stride {stride}", "use 3x3 at stride 1 or 2"
                    )
                )
        return found

    def _pool_offences(self, path: str, unit: Unit, shape: torch.Size) -> list[Offence]:
        found = []
        wrong = "global_after_relu" if self.generation == 1 else "global_before_relu"
        if unit.pool == wrong:
            found.append(Offence(path, f"a global pool {wrong[7:].replace('_', ' ')}", "swap ReLU and pool"))
        if self.generation == 1 and unit.pool.startswith("global") and shape[2] < self.FEWEST_POOLED_ROWS:
            rewrite = "larger images or one stage less"
            found.append(Offence(path, f"a global pool over {shape[2]} rows, fewer than 3", rewrite))
        positions = shape[2] * shape[3]
        if unit.pool.startswith("global") and positions > self.pooled_positions:
            found.append(
                Offence(
                    path,
                    f"a global pool over {shape[2]}x{shape[3]} = {positions} positions",
                    f"pool at most {self.pooled_positions}: smaller images or one more stage",
                )
            )
        return found


def _map_shapes(network: Network, image_shape: tuple[int, int, int]) -> dict[Unit, torch.Size]:
    """Shape of what each unit's linear part gives, (1, C, H, W), ahead of its pool."""
    shapes: dict[Unit, torch.Size] = {}

    def keep(conv_of: Unit) -> Callable[[nn.Module, object, Tensor], None]:
        def hook(module: nn.Module, _: object, output: Tensor) -> None:
            shapes[conv_of] = output.shape

        return hook

    units = [module for module in network.modules() if isinstance(module, Unit)]
    hooks = [unit.weighted()[-1].register_forward_hook(keep(unit)) for unit in units]
    training = network.training
    with torch.no_grad():
        network.eval()(torch.zeros(1, image_shape[2], *image_shape[:2]))
    network.train(training)
    for hook in hooks:
        hook.remove()
    return shapes
