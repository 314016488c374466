"""Draws the validation rows from those that are not tested: by class, and no group is torn."""

from __future__ import annotations

from collections.abc import Mapping

from qana.dataset.split.class_groups import ClassGroups, rows_of_class
from qana.dataset.split.hashed_order import large_first


def draw_validation(found: ClassGroups, wanted: Mapping[str, float], *, salt: str, seed: int) -> set[str]:
    """Choose the groups of every class that validate.

    Groups pass by from large to small, in hashed order among equals. One is taken when the rows that are due
    by then exceed those taken by half its size or more, so that large and small groups are both sampled and
    the rows of a class miss what is wanted by half its largest group at most. Two exceptions: a class never
    stays without validation (its last group is taken), nor without training (its last group is left).

    Args:
        found: class name to group name to rows; at least two groups in each class.
        wanted: class name to the rows wanted for validation.
        salt: what is drawn, so that the order is independent of that of the folds.
        seed: another seed draws other groups.

    Returns:
        Names of the groups drawn.
    """
    return {
        group
        for name, sizes in found.items()
        if sizes  # a class may live in the groups of rarer ones
        for group in _draw(sizes, wanted[name], large_first(sizes, salt, seed, name))
    }


def _draw(sizes: Mapping[str, int], wanted: float, order: list[str]) -> list[str]:
    share = wanted / rows_of_class(sizes)
    passed = taken = 0
    drawn = []
    for group in order:
        passed += sizes[group]
        if share * passed - taken >= sizes[group] / 2:
            drawn.append(group)
            taken += sizes[group]
    if not drawn:
        return order[-1:]
    return drawn if len(drawn) < len(order) else drawn[:-1]
