"""From the clocks of single layers to what a program takes: for one image, and for each of a stream.

Every layer holds one image at a time, and a neighbour's processors are not free for the next before it has
handed its map on. So a stream advances at the pace of the slowest two neighbours, not of the slowest layer:
that gives 42.6 M clocks for the ten images that took 43.0 M on an AKD1000 (AkidaNet 0.5 at 224, vendor
user guide), where the slowest layer alone would give 29.9 M. A program of several passes has no pipeline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from qana.evaluation.estimate import Range


@dataclass(frozen=True)
class PipelineClocks:
    """Clocks of a mapped program, core only.

    Attributes:
        first_image: from the first pixel of an image on its own to its last logit.
        period: between two images of a stream.
    """

    first_image: Range
    period: Range

    def of_call(self, images: int) -> Range:
        """Clocks for `images` in one call: the first, then the others a period apart each."""
        return self.first_image.plus(self.period.times(images - 1))


def pipeline_clocks(layers: Sequence[Range], load: Range | None, spread: float) -> PipelineClocks:
    """Put the layers of a program behind one another.

    Args:
        layers: clocks of each layer with weights, input first.
        load: clocks to load the program, again for every image; None where one pass holds all of it.
        spread: factor, at least 1, that widens the bounds.

    Returns:
        Low bound of the first image: its layers overlap completely, so the slowest one is left; of the
        period: every layer takes its next image at once. High bound of the period: no overlap at all.
    """
    slowest = max(layer.low for layer in layers) / spread
    high = sum(layer.high for layer in layers) * spread
    first = Range(sum(layer.value for layer in layers), slowest, high)
    if load is not None:
        whole = first.plus(load)
        return PipelineClocks(first_image=whole, period=whole)
    values = [layer.value for layer in layers]
    pairs = [one + other for one, other in pairwise(values)]
    return PipelineClocks(first_image=first, period=Range(max(pairs, default=values[0]), slowest, high))
