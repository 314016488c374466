"""The dry run ahead of a training: minutes or days are not spent on a network that the chip will not take."""

from __future__ import annotations

import tempfile
from pathlib import Path

from qana.backbone.network import Network
from qana.conversion.child import ConversionError
from qana.conversion.dry_run import LOG, dry_run
from qana.conversion.target import AkidaTarget, NoTarget
from qana.errors import QanaError
from qana.quantization.scheme import Quantization

ANYWAY = "conversion.dry_run=false trains it all the same"


def rehearse(
    target: AkidaTarget | NoTarget,
    network: Network,
    quantization: Quantization | None,
    image_shape: tuple[int, int, int],
) -> None:
    """Take `network` to the chip before it is trained, where ``conversion.dry_run`` asks for it.

    Args:
        target: has let the network pass its `check`; nothing is done without a chip.
        network: the float network before training; left as it is.
        quantization: of the run.
        image_shape: (H, W, 3).

    Raises:
        QanaError: the network is refused, becomes another one, does not fit, or answers otherwise.
        ConversionError: the SDK crashed or passed its limits.
    """
    if not isinstance(target, AkidaTarget) or not target.dry_run or quantization is None:
        return
    with tempfile.TemporaryDirectory(prefix="qana-rehearsal-") as name:
        folder = Path(name)
        try:
            dry_run(target, network, quantization, image_shape, folder)
        except QanaError as refusal:
            raise QanaError(
                f"before training: {refusal.what}",
                where=refusal.where,
                allowed=refusal.allowed,
                fix=f"{refusal.fix}; {ANYWAY}",
            ) from refusal
        except ConversionError as crash:
            words = last_words(folder / LOG)
            raise ConversionError(
                f"before training: {how(crash)}; its last words: {words}; {ANYWAY}"
            ) from crash


def how(crash: ConversionError) -> str:
    """How a child process ended, without the log that goes away with its folder."""
    return str(crash).partition(" while")[0]


def last_words(log: Path) -> str:
    """The last line that a child process left in `log`, or "nothing"."""
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "nothing")
