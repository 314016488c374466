"""How a trained network gets to another target: as it is, or rewritten and quantized after its training."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from qana.backbone.network import Network
from qana.command.calibration_images import calibration_images
from qana.command.trained_network import TrainedNetwork
from qana.conversion.other_form import in_form
from qana.conversion.value_ranges import exact_ranges, observed_ranges
from qana.dataset.splits import Splits
from qana.errors import StageFailedError
from qana.quantization import Quantization
from qana.tracking.recorded_run import RecordedRun

# Of the largest logit: what rounding costs where a value is lifted far above zero and lowered again.
TOLERANCE = 1e-3
AS_TRAINED = "the trained quantized network, unchanged"
AS_FLOAT = "the trained float network, unchanged"
REQUANTIZED = "requantized after training: expect some loss"


@dataclass(frozen=True)
class Route:
    """From a trained network to a network for the target.

    Attributes:
        trained: what the run learned.
        quantization: for the target.
        float_network: the trained float network in the form of the target.
        requantized: whether it has to be quantized anew, without training.
        text: the route in words.
    """

    trained: TrainedNetwork
    quantization: Quantization | None
    float_network: Network
    requantized: bool
    text: str

    def network(self, splits: Splits, *, seed: int) -> nn.Module:
        """The network for the target: quantized, unless the target takes a float one.

        Args:
            splits: images of the training side set the ranges of a network that is quantized anew.
            seed: of the draw of these images.

        Raises:
            StageFailedError: the rewritten float network does not say what the trained one says.
        """
        if self.quantization is None:
            return self.float_network
        if not self.requantized:
            assert self.trained.quantized is not None
            return self.trained.quantized
        drawn = calibration_images(splits, self.quantization.calibration_images, seed=seed)
        images = torch.from_numpy(drawn).permute(0, 3, 1, 2).float().contiguous()  # (N, 3, H, W), 0 to 255
        trained, form = self.trained.float_network, self.float_network.form
        _require_same_answers(trained, self.float_network, images)
        # Ranges as seen, where the exact ones would leave most levels unused.
        narrow = in_form(trained, form, observed_ranges(trained, images))
        return self.quantization.apply(narrow, images).eval()


def find_route(
    record: RecordedRun, trained: TrainedNetwork, quantization: Quantization | None, form: str
) -> Route:
    """Choose the route: the quantized network itself wherever it is valid.

    Args:
        record: the run.
        trained: its networks.
        quantization: for the target.
        form: of the target.

    Raises:
        QanaError: the float network has no such form.
    """
    if quantization is None:  # nothing is quantized, and a target without integers runs either form
        return Route(trained, None, trained.float_network, False, AS_FLOAT)
    if trained.fits(quantization, form):
        return Route(trained, quantization, trained.float_network, False, AS_TRAINED)
    own = trained.float_network
    rewritten = in_form(own, form, exact_ranges(own))
    steps = [REQUANTIZED, f"from {_grid(trained.quantization)} to {_grid(quantization)}"]
    if own.form != form:
        steps.append(f"layers rewritten from the {own.form} to the {form} form")
    return Route(trained, quantization, rewritten, True, "; ".join(steps))


def _grid(quantization: Quantization | None) -> str:
    if quantization is None:
        return "float"
    bits = f"w{quantization.weight_bits}a{quantization.activation_bits}"
    return f"{bits} of Akida v{quantization.generation}"


@torch.no_grad()
def _require_same_answers(trained: Network, rewritten: Network, images: Tensor) -> None:
    before, after = trained.eval()(images), rewritten.eval()(images)
    difference, largest = float((before - after).abs().max()), float(before.abs().max())
    if not difference <= TOLERANCE * largest:  # also true for nan
        raise StageFailedError(
            f"the network rewritten in the {rewritten.form} form differs from the trained one by"
            f" {difference:.3g} in its logits, which reach {largest:.3g}"
        )
