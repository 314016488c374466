"""Import timm (and whatever else needs torchvision) beside a torch that torchvision was not built for.

The registry's torchvision is built against CUDA. Beside a CPU-only torch its compiled library does not
load, its operators are never defined, and ``import torchvision`` dies with ``operator torchvision::nms does
not exist``, because it attaches shape functions to them. timm imports it, and so does torchmetrics, and with
it Lightning: call `import_torchvision` before the first import of either.

QANA uses none of these operators, so their names alone are enough: they are defined with a kernel that
refuses. Where torchvision imports by itself nothing is touched.
"""

from __future__ import annotations

import functools
import importlib
import re
import sys
from types import ModuleType
from typing import Any, NoReturn

import torch

# What torchvision 0.28 names in `_meta_registrations.py`, as its C++ sources declare them.
OPERATOR_SCHEMAS = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_MISSING_OPERATOR = re.compile(r"operator torchvision::\w+ does not exist")


@functools.cache
def import_torchvision() -> ModuleType:
    """Import torchvision, standing in for its compiled operators where they cannot load.

    Raises:
        RuntimeError: anything else that torchvision raises, unchanged.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if not _MISSING_OPERATOR.search(str(error)):
            raise
    _forget("torchvision")
    _operators()
    return importlib.import_module("torchvision")


def import_timm() -> ModuleType:
    """Import timm, after torchvision has been made importable.

    Example:
        >>> import_timm().create_model("resnet18", pretrained=False).num_classes
        1000
    """
    import_torchvision()
    return importlib.import_module("timm")


@functools.cache  # an operator lives as long as its library object does
def _operators() -> torch.library.Library:
    library = torch.library.Library("torchvision", "DEF")
    for name, schema in OPERATOR_SCHEMAS.items():
        library.define(name + schema)
        library.impl(name, functools.partial(_refuse, name), "CompositeExplicitAutograd")
    return library


def _refuse(name: str, *_: Any) -> NoReturn:
    version = sys.modules["torchvision"].__version__
    raise RuntimeError(
        f"torchvision::{name} has no compiled kernel here: torchvision {version} was not built for "
        f"torch {torch.__version__}; install the torchvision of the same build"
    )


def _forget(package: str) -> None:
    """Drop what a failed import left behind, so that the next one starts afresh."""
    for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
        del sys.modules[name]
