"""What a day costs when images come at a given rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qana.errors import QanaError
from qana.evaluation.board import Board
from qana.evaluation.estimate import Estimate, Range

SECONDS_A_DAY = 86_400


@dataclass(frozen=True)
class DutyCycle:
    """A day at a rate of images.

    Attributes:
        images_per_s: that come.
        busy_share: of the time, core only; above 1 the chip does not keep up.
        energy_per_day_j: the board is on all day; None where it does not keep up.
        energy_per_day_gated_j: the board has power only while it works, and waking it costs nothing: what
            could at best be reached. None likewise.
    """

    images_per_s: float
    busy_share: float
    energy_per_day_j: Estimate | None
    energy_per_day_gated_j: Estimate | None

    def as_dict(self) -> dict[str, Any]:
        """The same as plain data, shaped as in the report."""
        found = {
            "energy_per_day_j": self.energy_per_day_j,
            "energy_per_day_gated_j": self.energy_per_day_gated_j,
        }
        return {
            "images_per_s": self.images_per_s,
            "busy_share": self.busy_share,
            **{name: each.as_dict() if each else None for name, each in found.items()},
        }


def require_rate(images_per_s: float) -> None:
    """Refuse a rate that is none.

    Raises:
        QanaError: not above 0.
    """
    if not 0 < images_per_s < float("inf"):
        raise QanaError(
            f"{images_per_s:g} images per second is no duty cycle",
            where=f"evaluation.cost.images_per_s = {images_per_s:g}",
            allowed="more than 0",
            fix="one image an hour is 0.00028",
        )


def duty_cycle(images_per_s: float, latency_ms: Range, dynamic_mj: Range, board: Board) -> DutyCycle:
    """Energy of a day of single images.

    Args:
        images_per_s: that come.
        latency_ms: of one image on its own, core only.
        dynamic_mj: above the floor, for one image.
        board: with its floor power.
    """
    busy = images_per_s * latency_ms.value / 1e3
    if busy > 1:
        return DutyCycle(images_per_s, busy, None, None)
    images = images_per_s * SECONDS_A_DAY
    of_images = dynamic_mj.times(images / 1e3)
    floor = board.floor_power_mw.times(SECONDS_A_DAY / 1e3)
    working = board.floor_power_mw.by(latency_ms).times(images / 1e6)
    formula = f"{images_per_s:g} images/s: {images:.4g} images a day x energy above the floor + floor power"
    return DutyCycle(
        images_per_s,
        busy,
        of_images.plus(floor).modelled(f"{formula} x 24 h. {board.origin}"),
        of_images.plus(working).modelled(
            f"{formula} x the time that images take (core only; waking and loading left out). {board.origin}"
        ),
    )
