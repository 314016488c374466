"""The settings of a split, checked before any data is read."""

from __future__ import annotations

from typing import Literal, get_args

from qana.errors import QanaError

Protocol = Literal["lesion", "image", "official"]
PROTOCOLS: tuple[str, ...] = get_args(Protocol)


def check_settings(*, protocol: str, folds: int, fold: int, val_fraction: float) -> None:
    """Refuse settings that no source could be split by; a source calls it when it is built.

    Raises:
        QanaError: an unknown protocol, fewer than two folds, a fold outside 0 to folds - 1, a fold under
            ``official`` (which has none), or a validation share that leaves a side empty.
    """
    _check_protocol(protocol)
    _check_folds(folds)
    _check_fold(protocol, folds, fold)
    _check_val_fraction(protocol, folds, val_fraction)


def _check_protocol(protocol: str) -> None:
    if protocol not in PROTOCOLS:
        raise QanaError(
            f"{protocol!r} is no protocol to split by",
            where=f"dataset.protocol = {protocol}",
            allowed=", ".join(PROTOCOLS),
            fix="dataset.protocol=lesion keeps all photographs of a lesion on one side",
        )


def _check_folds(folds: int) -> None:
    if folds < 2:
        raise QanaError(
            f"{folds} folds cannot be split into test and the rest",
            where=f"dataset.folds = {folds}",
            allowed="2 or more; the test split is one fold of them",
            fix="dataset.folds=5 tests on a fifth of the images",
        )


def _check_fold(protocol: str, folds: int, fold: int) -> None:
    # Five "folds" of an official split would be five times the same images under different names.
    if protocol == "official" and fold != 0:
        raise QanaError(
            f"there is no fold {fold} of an official split",
            where=f"dataset.fold = {fold}, dataset.protocol = official",
            allowed="0: an official split is one split",
            fix="dataset.fold=0, or dataset.protocol=lesion to choose among folds",
        )
    if not 0 <= fold < folds:
        raise QanaError(
            f"there is no fold {fold} of {folds}",
            where=f"dataset.fold = {fold}, dataset.folds = {folds}",
            allowed=f"0 to {folds - 1}",
            fix=f"dataset.fold=0, or more folds than {fold}",
        )


def _check_val_fraction(protocol: str, folds: int, val_fraction: float) -> None:
    test_share = 0.0 if protocol == "official" else 1 / folds
    if val_fraction > 0 and val_fraction + test_share < 1:  # also false for nan
        return
    tested = "" if protocol == "official" else f" while 1/{folds} is tested"
    raise QanaError(
        f"a validation share of {val_fraction}{tested} leaves a side without images",
        where=f"dataset.val_fraction = {val_fraction}"
        + ("" if protocol == "official" else f", dataset.folds = {folds}"),
        allowed=f"above 0 and below {1 - test_share:.4g}: a share of all images, taken from those not tested",
        fix="for example dataset.val_fraction=0.15",
    )
