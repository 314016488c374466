"""A conversion needs a chip: ``conversion=none`` is for training alone."""

from __future__ import annotations

from qana.conversion import AkidaTarget, NoTarget
from qana.errors import QanaError


def require_chip(target: AkidaTarget | NoTarget) -> AkidaTarget:
    """Give the target back, or refuse where there is none.

    Raises:
        QanaError: the target is no chip.
    """
    if isinstance(target, NoTarget):
        raise QanaError(
            "there is no target to convert for",
            where=f"conversion = {target.name}",
            allowed="a chip: conversion=akd1000, conversion=akida2, ...",
            fix="choose one; qana run --help lists them",
        )
    return target
