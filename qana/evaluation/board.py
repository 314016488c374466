"""Constants of one chip on its board, as the config gives them."""

from __future__ import annotations

from collections.abc import Sequence

from qana.errors import QanaError
from qana.evaluation.estimate import Range, as_range


class Board:
    """Constants of one chip on its board.

    Args:
        clock_mhz: clock of the neural processors.
        floor_power_mw: [value, low, high] of the idle power.
        picojoules_per_synop: [value, low, high] of the energy above the floor.
        host_call_ms: [value, low, high] of what a call adds on the wall, however many images it holds; None
            where no wall time of the board was published.
        host_ns_per_byte: [value, low, high] of what each byte of an image adds; None likewise.
        spread: factor, at least 1, by which every bound is widened beyond its constants' own.
        origin: where the constants come from, in words that the report repeats.
    """

    def __init__(
        self,
        *,
        clock_mhz: float,
        floor_power_mw: Sequence[float],
        picojoules_per_synop: Sequence[float],
        host_call_ms: Sequence[float] | None,
        host_ns_per_byte: Sequence[float] | None,
        spread: float,
        origin: str,
    ) -> None:
        if clock_mhz <= 0 or spread < 1:
            raise QanaError(
                f"board constants clock_mhz {clock_mhz:g} and spread {spread:g} are out of range",
                where=f"evaluation.cost.boards.*.clock_mhz = {clock_mhz:g}, spread = {spread:g}",
                allowed="clock_mhz > 0, spread >= 1",
                fix="correct them in conf/evaluation",
            )
        if (host_call_ms is None) != (host_ns_per_byte is None):
            raise QanaError(
                "a board has only one of its two constants of the host",
                where=f"evaluation.cost.boards.*.host_call_ms = {host_call_ms},"
                f" host_ns_per_byte = {host_ns_per_byte}",
                allowed="both, or null for both",
                fix="give the missing one, or set both to null",
            )
        self.clock_mhz, self.spread, self.origin = clock_mhz, spread, origin
        self.floor_power_mw = as_range(floor_power_mw, "boards.*.floor_power_mw")
        self.picojoules_per_synop = as_range(picojoules_per_synop, "boards.*.picojoules_per_synop")
        self._call = None if host_call_ms is None else as_range(host_call_ms, "boards.*.host_call_ms")
        self._byte = (
            None if host_ns_per_byte is None else as_range(host_ns_per_byte, "boards.*.host_ns_per_byte")
        )

    def host_ms(self, images: int, image_bytes: int) -> Range | None:
        """What the host adds on the wall to a call of `images`, in ms; None where nothing is known of it."""
        if self._call is None or self._byte is None:
            return None
        total_bytes = images * image_bytes
        return self._call.plus(self._byte.times(total_bytes / 1e6))
