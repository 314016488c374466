"""Any network of timm by its name, as a float reference: for accuracy in the same table, not for a chip."""

from __future__ import annotations

import difflib

import torch
from torch import Tensor, nn

from qana.backbone.timm_import import import_timm
from qana.errors import QanaError

CLOSEST = 3


class TimmNetwork(nn.Module):
    """A timm model (Wightman 2019, doi:10.5281/zenodo.4414861) between 8-bit pixels and logits.

    Runs with ``quantization=none conversion=none``. Its layers are timm's own, so no chip takes it as it is;
    ``qana check`` names each of them with its path and what stands in the way.

    Args:
        num_classes: logits.
        model: its name in timm, such as ``resnet18``.
        pretrained: whether to start from timm's weights, which are downloaded on first use.

    Attributes:
        name: the timm name.
        form: ``float``.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, *, num_classes: int, model: str, pretrained: bool) -> None:
        super().__init__()
        timm = import_timm()
        if not timm.is_model(model):
            raise _unknown(model, timm.list_models())
        self.name, self.form = model, "float"
        self.network: nn.Module = timm.create_model(model, pretrained=pretrained, num_classes=num_classes)
        settings = timm.data.resolve_data_config({}, model=self.network)
        for key in ("mean", "std"):  # in units of a pixel, 0 to 255
            self.register_buffer(key, 255.0 * torch.tensor(settings[key]).view(1, -1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Pixels (N, 3, H, W), float holding 0 to 255, to logits (N, classes)."""
        logits: Tensor = self.network((x - self.mean) / self.std)
        return logits


def _unknown(model: str, known: list[str]) -> QanaError:
    close = difflib.get_close_matches(model, known, CLOSEST)
    return QanaError(
        f"timm has no model {model!r}",
        where=f"backbone.model = {model}",
        allowed=f"one of the {len(known)} names of timm.list_models()",
        fix=f"did you mean {', '.join(close)}?" if close else "look the name up with timm.list_models()",
    )
