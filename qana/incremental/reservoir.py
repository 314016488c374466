"""A memory of fixed size that holds an even draw of what each class has shown."""

from __future__ import annotations

import numpy as np

from qana.incremental.learner import Features, Labels, State

LABEL_BYTES = 1


class Reservoir:
    """Room for some images, shared equally by the classes (Vitter 1985, algorithm R, class by class).

    Args:
        num_features: K.
        size: images.

    Attributes:
        features: (M, K) what is kept.
        slots: (M,) the classes of these.
    """

    def __init__(self, num_features: int, size: int) -> None:
        self._size = size
        self.features: Features = np.zeros((0, num_features), np.uint8)
        self.slots: Labels = np.zeros(0, np.int64)
        self._seen: Labels = np.zeros(0, np.int64)

    def add_classes(self, count: int, rng: np.random.Generator) -> None:
        """Make room: the older classes give up images, drawn evenly."""
        self._seen = np.concatenate([self._seen, np.zeros(count, np.int64)])
        kept = [
            rng.permutation(np.flatnonzero(self.slots == slot))[: self._quota]
            for slot in range(len(self._seen))
        ]
        places = np.sort(np.concatenate(kept))
        self.features, self.slots = self.features[places], self.slots[places]

    def take(self, features: Features, slots: Labels, rng: np.random.Generator) -> None:
        """Let new images replace kept ones, so that every image of a class is kept with equal chance."""
        for row, slot in zip(features, slots.tolist(), strict=True):
            self._seen[slot] += 1
            own = np.flatnonzero(self.slots == slot)
            if len(own) < self._quota:
                self.features = np.concatenate([self.features, row[None]])
                self.slots = np.append(self.slots, slot)
                continue
            place = int(rng.integers(self._seen[slot]))
            if place < len(own):
                self.features[own[place]] = row

    def stored_bytes(self) -> int:
        """Features at the bits that the largest of them needs, and a byte for each label."""
        bits = max(int(self.features.max()).bit_length(), 1) if self.features.size else 1
        return -(-self.features.size * bits // 8) + LABEL_BYTES * len(self.slots)

    def arrays(self) -> State:
        """Everything, for the state of a learner."""
        return {"kept_features": self.features, "kept_slots": self.slots, "seen": self._seen}

    def take_arrays(self, arrays: State) -> None:
        """Take `arrays` back."""
        self.features, self.slots, self._seen = (
            arrays["kept_features"],
            arrays["kept_slots"],
            arrays["seen"],
        )

    @property
    def _quota(self) -> int:
        return max(self._size // max(len(self._seen), 1), 1)
