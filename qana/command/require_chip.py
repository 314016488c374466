"""A conversion needs a chip: ``conversion=none`` is for training alone."""

from __future__ import annotations

from qana.conversion import AkidaTarget, NoTarget, SnnTarget
from qana.errors import QanaError


def require_conversion(target: AkidaTarget | NoTarget | SnnTarget) -> AkidaTarget | SnnTarget:
    """Give the target back, a chip or a spiking network, or refuse where there is none.

    Raises:
        QanaError: there is nothing to convert for.
    """
    return target if isinstance(target, SnnTarget) else require_chip(target)


def require_chip(target: AkidaTarget | NoTarget | SnnTarget) -> AkidaTarget:
    """Give the target back, or refuse where there is none.

    Raises:
        QanaError: the target is no chip.
    """
    if not isinstance(target, AkidaTarget):
        raise QanaError(
            "there is no target to convert for",
            where=f"conversion = {target.name}",
            allowed="a chip: conversion=akd1000, conversion=akida2, ...",
            fix="choose one; qana run --help lists them",
        )
    return target
