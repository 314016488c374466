"""The rule by which an Akida v1 learns its last layer, step for step; needs no SDK.

The SDK documents the arguments of its ``AkidaUnsupervised`` and not the rule. This one was found by trying
single neurons on akida 2.19.3 (software backend) and equals it in every weight, threshold and plasticity;
`tests/incremental/test_edge_rule.py` compares them again on random layers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qana.errors import QanaError

Bits = NDArray[np.uint8]
COUNTER_VALUES = 256  # the chip draws with one 8-bit counter


@dataclass(frozen=True)
class Plasticity:
    """The arguments of ``akida.AkidaUnsupervised`` beside the number of weights and classes.

    Attributes:
        initial: share of a neuron's weights that its first step may swap.
        smallest: share below which that number never falls.
        decay: share of the initial number that every step takes away.
        competition: 1 lets a neuron learn from any image that it wins; 0 only from images that excite it
            more than the last one that it learned.
    """

    initial: float
    smallest: float
    decay: float
    competition: float

    def __post_init__(self) -> None:
        given = {
            "initial_plasticity": self.initial,
            "min_plasticity": self.smallest,
            "plasticity_decay": self.decay,
            "learning_competition": self.competition,
        }
        wrong = [
            f"incremental.learner.{name} = {share}" for name, share in given.items() if not 0 <= share <= 1
        ]
        if wrong:
            raise QanaError(
                f"{len(wrong)} share(s) of the learning rule lie outside 0 to 1",
                where=", ".join(wrong),
                allowed="0 to 1",
                fix="correct the values named above",
            )


@dataclass(frozen=True)
class Steps:
    """What `Plasticity` comes to for neurons with a given number of weights, in whole weights.

    Attributes:
        initial: weights that a neuron may swap in its first step.
        smallest: that it may always swap.
        decay: by which the number falls with every step.
        highest_threshold: of learning.
    """

    initial: int
    smallest: int
    decay: int
    highest_threshold: int

    @classmethod
    def of(cls, plasticity: Plasticity, num_weights: int) -> Steps:
        """Round as the SDK does, in double precision.

        Example:
            >>> Steps.of(Plasticity(initial=1.0, smallest=0.1, decay=0.25, competition=0.1), 20)
            Steps(initial=20, smallest=2, decay=5, highest_threshold=18)
        """
        initial = _half_up(plasticity.initial * num_weights)
        return cls(
            initial=initial,
            smallest=math.ceil(plasticity.smallest * num_weights),
            decay=math.ceil(plasticity.decay * initial),
            highest_threshold=_half_up((1 - plasticity.competition) * num_weights),
        )


@dataclass
class Neurons:
    """A learning layer.

    Attributes:
        weights: (U, K) 0 or 1; every row has the same number of ones, always.
        thresholds: (U,) int32; a potential has to exceed it for the neuron to learn (``threshold_learning``).
        swaps: (U,) int32, weights that the next step may swap (``thswap``).
    """

    weights: Bits
    thresholds: NDArray[np.int32]
    swaps: NDArray[np.int32]

    def potentials(self, features: Bits) -> NDArray[np.int32]:
        """Active inputs on the weights of each neuron: (N, U) for features (N, K) of 0 and 1."""
        # float32 holds sums of up to 2**24 ones exactly, and multiplies matrices many times faster.
        products = features.astype(np.float32) @ self.weights.T.astype(np.float32)
        return products.astype(np.int32)


def learn(
    neurons: Neurons, features: Bits, labels: NDArray[np.int64], *, per_class: int, steps: Steps
) -> None:
    """Show images one after the other; changes `neurons` in place, as one call of ``akida.Model.fit``.

    For each image, among the neurons of its class whose potential exceeds their threshold, the one with the
    highest potential learns (the first of equals): it moves up to `swaps` weights from inputs that are
    silent to inputs that are active, takes the potential it had as its threshold (at most
    `highest_threshold`), and may swap fewer weights next time.

    The counter that draws the weights starts at 0: the SDK forgets it when a model is loaded, mapped, given
    classes or written to.

    Args:
        neurons: of all classes, those of a class side by side.
        features: (N, K) of 0 and 1.
        labels: (N,) class of each image; class c has the neurons ``c * per_class`` to
            ``(c + 1) * per_class - 1``.
        per_class: neurons per class.
        steps: sizes of the steps.
    """
    counter = _Counter()
    for row, label in zip(features, labels.tolist(), strict=True):
        winner = _winner(neurons, row, label * per_class, (label + 1) * per_class)
        if winner is not None:
            _step(neurons, winner, row, counter, steps)


def _winner(neurons: Neurons, row: Bits, first: int, end: int) -> int | None:
    potentials = neurons.weights[first:end, row == 1].sum(1, dtype=np.int32)
    may_learn = potentials > neurons.thresholds[first:end]
    if not may_learn.any():
        return None
    return first + int(np.where(may_learn, potentials, -1).argmax())


def _step(neurons: Neurons, neuron: int, row: Bits, counter: _Counter, steps: Steps) -> None:
    weights = neurons.weights[neuron]
    potential = int(weights[row == 1].sum(dtype=np.int32))
    silent, active = np.flatnonzero((weights == 1) & (row == 0)), np.flatnonzero((weights == 0) & (row == 1))
    swapped = min(len(silent), len(active), int(neurons.swaps[neuron]))
    if swapped:
        removed, added = (
            silent[counter.choose(len(silent), swapped)],
            active[counter.choose(len(active), swapped)],
        )
        weights[removed], weights[added] = 0, 1
        neurons.thresholds[neuron] = min(potential, steps.highest_threshold)
    neurons.swaps[neuron] = max(int(neurons.swaps[neuron]) - steps.decay, steps.smallest)


class _Counter:
    """Chooses some of many: one from each of equal stretches, at a place that a small counter names."""

    def __init__(self) -> None:
        self._value = 0

    def choose(self, available: int, wanted: int) -> list[int]:
        """`wanted` of the places 0 to `available` - 1, ascending; the longer stretches come first."""
        shortest, longer = divmod(available, wanted)
        chosen, start = [], 0
        for stretch in range(wanted):
            size = shortest + (stretch < longer)
            offset = self._value % size
            chosen.append(start + offset)
            self._value = (offset + 1) % COUNTER_VALUES
            start += size
        return chosen


def _half_up(value: float) -> int:
    return math.floor(value + 0.5)
