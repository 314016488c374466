"""The networks of a run of the past, built again from its config and filled from its checkpoint."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import nn

from qana.backbone.network import Network
from qana.dataset.source import Source
from qana.errors import QanaError, listed
from qana.quantization import Quantization, QuantizedNetwork, fold
from qana.tracking.recorded_run import RecordedRun


@dataclass(frozen=True)
class TrainedNetwork:
    """What a run has learned.

    Attributes:
        float_network: folded, with the best weights of the float phase.
        quantized: the network of the quantized phase; None for a float run.
        quantization: that it was trained with, or None.
    """

    float_network: Network
    quantized: QuantizedNetwork | None
    quantization: Quantization | None

    def fits(self, quantization: Quantization | None, form: str) -> bool:
        """Whether the quantized network is valid for a target of this form under this quantization."""
        if self.quantized is None or quantization is None or self.quantization is None:
            return False
        return self.float_network.form == form and _grid(quantization) == _grid(self.quantization)


def load_trained(record: RecordedRun, source: Source) -> TrainedNetwork:
    """Build the networks of a run and give them their weights.

    Args:
        record: the run.
        source: its data; names the classes and the size of an image.

    Raises:
        QanaError: a checkpoint that cannot be read, or is of other classes, images or layers.
    """
    content = _read(record)
    _require_same_task(record, content, source)
    network: Network = _built(record.config["backbone"], num_classes=len(source.classes))
    quantization: Quantization | None = _built(record.config["quantization"])
    folded = fold(network)
    quantized = None
    if quantization is not None:
        height, width, channels = source.image_shape
        # Only for its structure: all that the images decide is overwritten.
        quantized = quantization.apply(network, torch.zeros(1, channels, height, width)).eval()
        _fill(quantized, content["network"], record)
    _fill(folded, content["float_network"], record)
    return TrainedNetwork(folded, quantized, quantization)


def _built(node: Mapping[str, Any], **arguments: Any) -> Any:
    return instantiate(OmegaConf.create(dict(node)), **arguments)


def _grid(quantization: Quantization) -> tuple[int, ...]:
    return (
        quantization.weight_bits,
        quantization.activation_bits,
        quantization.input_weight_bits,
        quantization.generation,
    )


def _read(record: RecordedRun) -> dict[str, Any]:
    try:
        # Weights only: a checkpoint from elsewhere must not run code.
        content: dict[str, Any] = torch.load(record.checkpoint, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise _unfit(record, f"cannot be read: {(str(error).splitlines() or [''])[0]}") from error
    missing = [name for name in ("network", "float_network", "classes", "image_shape") if name not in content]
    if missing:
        raise _unfit(record, f"lacks {listed(missing)}")
    return content


def _require_same_task(record: RecordedRun, content: Mapping[str, Any], source: Source) -> None:
    if list(source.classes) != content["classes"]:
        raise _unfit(
            record, f"knows the classes {listed(content['classes'])}; the data have {listed(source.classes)}"
        )
    if list(source.image_shape) != content["image_shape"]:
        raise _unfit(record, f"takes images of {content['image_shape']}, not {list(source.image_shape)}")


def _fill(network: nn.Module, state: Mapping[str, torch.Tensor], record: RecordedRun) -> None:
    own = network.state_dict()
    faults = [f"{name} is missing" for name in own if name not in state]
    faults += [f"{name} is unknown" for name in state if name not in own]
    faults += [
        f"{name} is {tuple(state[name].shape)} instead of {tuple(value.shape)}"
        for name, value in own.items()
        if name in state and state[name].shape != value.shape
    ]
    if faults:
        raise _unfit(record, f"does not fit the network that its config builds today: {listed(faults, 5)}")
    network.load_state_dict(dict(state))


def _unfit(record: RecordedRun, what: str) -> QanaError:
    fix = "use the version of qana that trained it (environment.json of the run), or train again"
    if record.converted_from is not None:  # a network that was rewritten is not what its config builds
        fix = f"name the run that it was converted from: qana convert run={record.converted_from}"
    return QanaError(
        f"checkpoint.ckpt of run {record.run_id[:8]} {what}",
        where=f"run = {record.run_id}",
        allowed="a checkpoint of the same classes, image size and layers as the recorded config",
        fix=fix,
    )
