"""The learning of the chip itself as a `Learner`: the twin of the SDK's layer, without the SDK."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qana.errors import QanaError
from qana.incremental.edge_rule import Neurons, Plasticity, Steps, learn
from qana.incremental.learner import Features, Labels, Learner, State


class AkidaEdge(Learner):
    """Binary neurons, several per class, that move their weights towards what they see.

    The twin of an ``akida.FullyConnected`` compiled with ``akida.AkidaUnsupervised``; see
    `qana.incremental.edge_rule`. The SDK draws first weights from the hardware's entropy; here they follow
    from the seed, and are written into the SDK's layer.

    Args:
        neurons_per_class: the prototypes that a class may have, at least 1.
        weights_per_active_input: weights of a neuron, as a multiple of the inputs that are active in the
            median image of the first session (the vendor's examples take 1.2).
        initial_plasticity: share of a neuron's weights that its first step may swap.
        min_plasticity: share below which that number never falls.
        plasticity_decay: share of the initial number that every step takes away.
        learning_competition: 1 lets a neuron learn from any image that it wins; 0 only from images that
            excite it more than the last one that it learned.
    """

    binary_features = True
    on_chip = True

    def __init__(
        self,
        *,
        neurons_per_class: int,
        weights_per_active_input: float,
        initial_plasticity: float,
        min_plasticity: float,
        plasticity_decay: float,
        learning_competition: float,
    ) -> None:
        super().__init__()
        if neurons_per_class < 1 or weights_per_active_input <= 0:
            raise QanaError(
                f"a class with {neurons_per_class} neurons and {weights_per_active_input} weights per active"
                " input learns nothing",
                where=f"incremental.learner.neurons_per_class = {neurons_per_class},"
                f" incremental.learner.weights_per_active_input = {weights_per_active_input}",
                allowed="at least 1 neuron, more than 0 weights",
                fix="leave out these overrides",
            )
        self.neurons_per_class = neurons_per_class
        self.weights_per_active_input = weights_per_active_input
        self.plasticity = Plasticity(
            initial_plasticity, min_plasticity, plasticity_decay, learning_competition
        )
        self._start()

    @property
    def steps(self) -> Steps:
        """Sizes of the steps; needs the first session."""
        return Steps.of(self.plasticity, self.num_weights)

    def scores(self, features: Features) -> NDArray[np.int32]:
        potentials = self.neurons.potentials(features)  # (N, classes * neurons)
        return potentials.reshape(len(features), -1, self.neurons_per_class).max(2)

    def stored_bytes(self) -> int:
        """Binary weights, and threshold and swaps of 32 bits for each neuron."""
        return self.neurons.weights.size // 8 + 8 * len(self.neurons.weights)

    def _start(self) -> None:
        self.num_weights = 0
        self._empty()

    def _empty(self) -> None:
        none = np.zeros(0, dtype=np.int32)
        self.neurons = Neurons(np.zeros((0, self.num_features), np.uint8), none.copy(), none.copy())

    def _add_classes(self, count: int) -> None:
        if self.num_weights:  # else the first session decides how many
            self._grow()

    def _learn(self, features: Features, slots: Labels) -> None:
        _require_bits(features)
        if not self.num_weights:
            active = float(np.median(features.sum(1, dtype=np.int64)))
            wanted = round(self.weights_per_active_input * active)
            self.num_weights = min(max(wanted, 1), self.num_features)
            self._grow()
        learn(self.neurons, features, slots, per_class=self.neurons_per_class, steps=self.steps)

    def _grow(self) -> None:
        """Give every class that has none its neurons, whose weights follow from the seed and their number."""
        known, wanted = len(self.neurons.weights), len(self.classes) * self.neurons_per_class
        rows = [self._first_weights(neuron) for neuron in range(known, wanted)]
        added = len(rows)
        old = self.neurons
        self.neurons = Neurons(
            np.concatenate([old.weights, np.array(rows, np.uint8).reshape(added, self.num_features)]),
            np.concatenate([old.thresholds, np.zeros(added, np.int32)]),
            np.concatenate([old.swaps, np.full(added, self.steps.initial, np.int32)]),
        )

    def _first_weights(self, neuron: int) -> Features:
        rng = np.random.default_rng([self.seed, neuron])
        row = np.zeros(self.num_features, np.uint8)
        row[rng.permutation(self.num_features)[: self.num_weights]] = 1
        return row

    def _arrays(self) -> State:
        return {
            "num_weights": np.array(self.num_weights),
            "weights": self.neurons.weights,
            "thresholds": self.neurons.thresholds,
            "swaps": self.neurons.swaps,
        }

    def _take_arrays(self, arrays: State) -> None:
        self.num_weights = int(arrays["num_weights"])
        self.neurons = Neurons(arrays["weights"], arrays["thresholds"], arrays["swaps"])


def _require_bits(features: Features) -> None:
    if features.size and features.max() > 1:
        raise QanaError(
            f"the chip learns from features of 1 bit; these reach {int(features.max())}",
            where="incremental.learner = AkidaEdge, quantization",
            allowed="a network whose last activation has 1 bit",
            fix="train with quantization=w4a4_edge, or choose incremental=nearest_mean",
        )
