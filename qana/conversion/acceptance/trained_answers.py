"""What the trained network says, in one pass: logits, the integers of every layer, and how large sums get."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from qana.conversion.acceptance.headroom import Register, register_loads
from qana.conversion.deploy import PlannedLayer
from qana.quantization.network import QuantizedNetwork
from qana.quantization.rescale import Accumulator
from qana.quantization.unit import QuantizedUnit


@dataclass(frozen=True)
class TrainedAnswers:
    """What a trained network says on images.

    Attributes:
        logits: (N, classes).
        codes: layer of the program to (M, H', W', C) integers, laid out as in the program, on the first M
            images; layers that end in logits are left out.
        loads: layer of the program to the largest magnitude that each of its registers holds on all images.
        logit_step: (classes,), what one unit of the last accumulator is worth.
    """

    logits: NDArray[np.float32]
    codes: Mapping[str, NDArray[Any]]
    loads: Mapping[str, Mapping[Register, float]]
    logit_step: NDArray[np.float64]


class StoppedError(Exception):
    """The caller wants no answer any more."""


@torch.no_grad()
def trained_answers(
    network: QuantizedNetwork,
    plan: Sequence[PlannedLayer],
    images: NDArray[np.uint8],
    *,
    compared: int,
    batch_size: int,
    on_batch: Callable[[int], None] = lambda _: None,
    stopped: Callable[[], bool] = lambda: False,
) -> TrainedAnswers:
    """Run the trained network over all images, in evaluation mode.

    Args:
        network: trained.
        plan: one entry per layer.
        images: (N, H, W, 3) uint8.
        compared: M, images of which the integers of every layer are kept.
        batch_size: images per call.
        on_batch: told the size of every batch that is done.
        stopped: asked before every batch.

    Raises:
        StoppedError: `stopped` said so.
    """
    recorder = _Recorder(plan)
    device, training = next(network.parameters()).device, network.training
    logits = []
    with recorder.listening(network):
        network.eval()
        for first in range(0, len(images), batch_size):
            if stopped():
                raise StoppedError
            batch = torch.from_numpy(np.ascontiguousarray(images[first : first + batch_size]))
            recorder.kept = max(0, compared - first)
            answer = network(batch.permute(0, 3, 1, 2).to(device, torch.float32).contiguous())
            logits.append(answer.float().cpu().numpy())
            on_batch(len(batch))
        network.train(training)
    return TrainedAnswers(np.concatenate(logits), recorder.codes(), recorder.loads, recorder.logit_step)


class _Recorder:
    """Listens to the units of a network."""

    def __init__(self, plan: Sequence[PlannedLayer]) -> None:
        self._plan = plan
        self._codes: dict[str, list[NDArray[Any]]] = {}
        self.loads: dict[str, dict[Register, float]] = {entry.name: {} for entry in plan}
        self.logit_step: NDArray[np.float64] = np.zeros(0)
        self.kept = 0

    def codes(self) -> dict[str, NDArray[Any]]:
        return {name: np.concatenate(batches) for name, batches in self._codes.items()}

    @contextmanager
    def listening(self, network: QuantizedNetwork) -> Iterator[None]:
        layers = list(zip(network.layers(), self._plan, strict=True))
        hooks = [layer.register_forward_hook(self._keep_codes(entry)) for layer, entry in layers]
        pairs = [(layer, entry) for layer, entry in layers if isinstance(layer, QuantizedUnit)]
        for index, (unit, entry) in enumerate(pairs):
            # The accumulator is no module's output, so no hook sees it.
            vars(unit)["accumulate"] = self._weighed(unit, entry, first=index == 0)
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()
            for unit, _ in pairs:
                del vars(unit)["accumulate"]

    def _weighed(
        self, unit: QuantizedUnit, entry: PlannedLayer, *, first: bool
    ) -> Callable[[Tensor], Accumulator]:
        accumulate = unit.accumulate
        seen = self.loads[entry.name]

        def weighed(x: Tensor) -> Accumulator:
            acc = accumulate(x)
            for register, largest in register_loads(unit, acc, first=first):
                seen[register] = max(seen.get(register, 0.0), largest)
            if entry.output_bits is None:
                self.logit_step = acc.scale.double().cpu().numpy() * 2.0**-acc.frac_bits
            return acc

        return weighed

    def _keep_codes(self, entry: PlannedLayer) -> Callable[[nn.Module, object, Tensor], None]:
        def hook(module: nn.Module, _: object, output: Tensor) -> None:
            if entry.output_bits is not None and self.kept:
                codes = output[: self.kept].repeat(1, entry.copies, 1, 1).permute(0, 2, 3, 1)
                self._codes.setdefault(entry.name, []).append(codes.to(torch.int16).cpu().numpy())

        return hook
