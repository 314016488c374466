"""A small memory of features beside a quantized linear head: what most embedded systems would do."""

from __future__ import annotations

import numpy as np

from qana.errors import QanaError
from qana.incremental.integer_head import MASTER_BITS, IntegerHead
from qana.incremental.learner import Features, Labels, Learner, State
from qana.incremental.reservoir import Reservoir


class Replay(Learner):
    """Shows a linear head the new images together with a memory of old ones.

    Features of at most `memory` images are kept, as many of each class as there is room for, drawn evenly
    over the stream (reservoir sampling). The head is an `IntegerHead`.

    Args:
        memory: images kept, at least 1.
        weight_bits: of the head, 2 to 8.
        margin: by which a class has to lead the others, whole, at least 0.
        rate: multiplies a feature before it is added to the 16-bit weights, whole, at least 1.
        passes: over the new images and the memory, for each update.
        balanced: whether a pass shows every class as often as the most frequent one.
    """

    def __init__(
        self, *, memory: int, weight_bits: int, margin: int, rate: int, passes: int, balanced: bool
    ) -> None:
        super().__init__()
        wrong = [
            f"incremental.learner.{name} = {value}"
            for name, value, fault in (
                ("memory", memory, memory < 1),
                ("weight_bits", weight_bits, not 2 <= weight_bits <= 8),
                ("margin", margin, margin < 0),
                ("rate", rate, rate < 1),
                ("passes", passes, passes < 1),
            )
            if fault
        ]
        if wrong:
            raise QanaError(
                "the replay memory and its head cannot be made",
                where=", ".join(wrong),
                allowed="memory, rate and passes of at least 1, a margin of at least 0, 2 to 8 bits",
                fix="correct the values named above",
            )
        self.memory, self.weight_bits, self.margin = memory, weight_bits, margin
        self.rate, self.passes, self.balanced = rate, passes, balanced
        self._start()

    def scores(self, features: Features) -> Labels:
        return self._head.scores(features)

    def stored_bytes(self) -> int:
        """The 16-bit weights, and the features in memory at the bits that the largest of them needs."""
        return self._head.master.size * MASTER_BITS // 8 + self._kept.stored_bytes()

    def _start(self) -> None:
        self._head = IntegerHead(self.num_features, weight_bits=self.weight_bits, margin=self.margin)
        self._kept = Reservoir(self.num_features, self.memory)
        self._updates = 0

    def _add_classes(self, count: int) -> None:
        self._head.add_classes(count)
        self._kept.add_classes(count, np.random.default_rng([self.seed, self._updates, count]))

    def _learn(self, features: Features, slots: Labels) -> None:
        rng = np.random.default_rng([self.seed, self._updates])
        shown = np.concatenate([features, self._kept.features])
        named = np.concatenate([slots, self._kept.slots])
        for _ in range(self.passes):
            order = _balanced_order(named, rng) if self.balanced else rng.permutation(len(named))
            self._head.learn(shown[order], named[order], rate=self.rate)
        self._kept.take(features, slots, rng)
        self._updates += 1

    def _arrays(self) -> State:
        return {"master": self._head.master, "updates": np.array(self._updates), **self._kept.arrays()}

    def _take_arrays(self, arrays: State) -> None:
        self._head.master, self._updates = arrays["master"], int(arrays["updates"])
        self._kept.take_arrays(arrays)


def _balanced_order(slots: Labels, rng: np.random.Generator) -> Labels:
    """Places 0 to N - 1 in random order, those of rare classes several times."""
    most = int(np.bincount(slots).max())
    drawn = []
    for slot in np.unique(slots):
        members = np.flatnonzero(slots == slot)
        drawn.append(
            np.concatenate([rng.permutation(members) for _ in range(-(-most // len(members)))])[:most]
        )
    return rng.permutation(np.concatenate(drawn))
