"""torch to ONNX to Keras to Akida, with proof at every stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qana.conversion.child import ConversionError
from qana.conversion.product import Conversion, LayerReport, MappingReport

if TYPE_CHECKING:
    from qana.conversion.no_target import NoTarget
    from qana.conversion.snn.target import SnnTarget
    from qana.conversion.target import AkidaTarget

__all__ = [
    "AkidaTarget",
    "Conversion",
    "ConversionError",
    "LayerReport",
    "MappingReport",
    "NoTarget",
    "SnnTarget",
]


def __getattr__(name: str) -> Any:
    # Loaded when asked for: the child processes that run the SDK import this package and need no torch.
    if name == "AkidaTarget":
        from qana.conversion.target import AkidaTarget

        return AkidaTarget
    if name == "NoTarget":
        from qana.conversion.no_target import NoTarget

        return NoTarget
    if name == "SnnTarget":
        from qana.conversion.snn.target import SnnTarget

        return SnnTarget
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
